"""Authentication and permissions: stock checks them, ours doesn't start where they are asked for."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml
from feast import FeatureView
from feast.permissions.action import AuthzedAction
from feast.permissions.auth.auth_manager import AllowAll, AuthManager, set_auth_manager
from feast.permissions.auth.token_parser import TokenParser
from feast.permissions.permission import Permission
from feast.permissions.policy import RoleBasedPolicy
from feast.permissions.security_manager import SecurityManager, no_security_manager, set_security_manager
from feast.permissions.server.rest_token_extractor import RestTokenExtractor
from feast.permissions.user import User

from service.catalog.configuration import load_config
from service.errors import ConfigurationError

from .kiosk import OK, PATHS, Kiosk, row

UNAUTHENTICATED, FORBIDDEN = httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN
READER = {"authorization": "Bearer reader"}
BODIES = {
    "/get-online-features": {"features": ["visits:count"], "entities": {"customer_id": [1]}},
    "/push": {"push_source_name": "visits_push", "df": row()},
    "/write-to-online-store": {"feature_view_name": "visits", "df": row()},
    "/materialize": {"feature_views": ["visits"], "start_ts": "2020-01-01", "end_ts": "2020-01-02"},
    "/materialize-incremental": {"feature_views": ["visits"], "end_ts": "2020-01-02"},
}


class _NamesItsRole(TokenParser):
    """Tokens that are the name of a role, in place of an identity provider's."""

    async def user_details_from_access_token(self, access_token: str) -> User:
        return User(access_token, [access_token])


@pytest.fixture
def guarded(kiosk: Kiosk) -> Iterator[Kiosk]:
    """Stock's server with authentication, and one permission: readers may read."""
    registry, project = kiosk.store.registry, kiosk.store.project
    policy = RoleBasedPolicy(roles=["reader"])
    permission = Permission("readers", types=[FeatureView], policy=policy, actions=[AuthzedAction.READ_ONLINE])
    registry.apply_permission(permission, project)
    set_security_manager(SecurityManager(project, registry))
    set_auth_manager(AuthManager(_NamesItsRole(), RestTokenExtractor()))
    yield kiosk
    no_security_manager()
    set_auth_manager(AllowAll())
    registry.delete_permission("readers", project)


@pytest.mark.parametrize("path", BODIES)
def test_without_a_token(guarded: Kiosk, path: str) -> None:
    """Stock: 401."""
    assert guarded.stock.post(path, json=BODIES[path]).status_code == UNAUTHENTICATED


def test_readers_may_read(guarded: Kiosk) -> None:
    """Stock: READ_ONLINE of each view."""
    path = PATHS["read"]
    assert guarded.stock.post(path, json=BODIES[path], headers=READER).status_code == OK
    assert guarded.stock.post(path, json=BODIES[path], headers={"authorization": "Bearer guest"}).status_code == FORBIDDEN


@pytest.mark.parametrize("path", list(BODIES)[1:])
def test_readers_may_not_write(guarded: Kiosk, path: str) -> None:
    """Stock: 403 where WRITE_ONLINE or WRITE_OFFLINE is needed."""
    assert guarded.stock.post(path, json=BODIES[path], headers=READER).status_code == FORBIDDEN


def test_health_needs_no_token(guarded: Kiosk) -> None:
    """Nor does stock's chat."""
    assert guarded.stock.get("/health").status_code == OK


@pytest.mark.parametrize("kind", ["kubernetes", "oidc"])
def test_ours_does_not_start(kiosk: Kiosk, tmp_path: Path, kind: str) -> None:
    """Rather than serve to anybody what was meant for some."""
    auth = {"type": kind}
    if kind == "oidc":
        auth |= {"client_id": "feast", "auth_discovery_url": "http://localhost/.well-known/openid-configuration"}
    configuration = yaml.safe_load((kiosk.world.repo / "feature_store.yaml").read_text())
    (tmp_path / "feature_store.yaml").write_text(yaml.safe_dump({**configuration, "auth": auth}))
    with pytest.raises(ConfigurationError, match=f"authentication \\({kind}\\)"):
        load_config(tmp_path)


def test_no_auth_starts(kiosk: Kiosk, tmp_path: Path) -> None:
    """As without the section."""
    configuration = yaml.safe_load((kiosk.world.repo / "feature_store.yaml").read_text())
    (tmp_path / "feature_store.yaml").write_text(yaml.safe_dump({**configuration, "auth": {"type": "no_auth"}}))
    assert load_config(tmp_path).project == kiosk.world.store.project
