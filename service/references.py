"""Feature references, `view:feature` or `view@v2:feature`, to what the catalog defines for them.

Source of the syntax: feast/utils.py, _parse_feature_ref.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from service.catalog import Catalog, nearest
from service.catalog.definitions import FeatureDefinition, ProjectionDefinition, ViewDefinition
from service.errors import MAX_PROBLEMS, FeatureNameCollision, InvalidRequest, Problem, UnknownName
from service.keys import shorten

_VERSION = re.compile(r"[vV]([0-9]{1,9})")


@dataclass(frozen=True, slots=True)
class Selection:
    """One requested feature, where it comes from and what it is called in the answer."""

    view: ViewDefinition
    feature: FeatureDefinition
    # The view's name in the request: its alias if it has one, with @vN if a version was asked for.
    view_label: str
    # The same without the version, as the answer's metadata has it.
    view_name: str
    # Join key in the store to column in the request, where they differ.
    join_key_map: dict[str, str]

    def output_name(self, full: bool) -> str:
        """The name in the answer."""
        return f"{self.view_label}__{self.feature.name}" if full else self.feature.name


def select_features(catalog: Catalog, references: Sequence[str]) -> list[Selection]:
    """The selections of a list of references, in order; raises for all that can't be resolved."""
    finder = _Finder(catalog)
    selections = [finder.find_reference(position, reference) for position, reference in enumerate(references)]
    return finder.finish(selections)


def select_service(catalog: Catalog, name: str) -> list[Selection]:
    """The selections of a feature service, in the order of its projections."""
    service = catalog.service(name)
    if service is None:
        hint = _did_you_mean(name, list(catalog.definition.services))
        message = f"Feature service {shorten(name)} does not exist in project {catalog.project}.{hint}"
        raise UnknownName.because(message, "feature_service")
    finder = _Finder(catalog)
    selections = [found for projection in service.projections for found in finder.find_projection(projection)]
    return finder.finish(selections)


def check_collisions(selections: Sequence[Selection], full: bool) -> None:
    """Raise FeatureNameCollision, in Feast's words, when two different features would get one name."""
    sources: dict[str, Selection] = {}
    collisions: list[str] = []
    for selection in selections:
        name = selection.output_name(full)
        if sources.setdefault(name, selection) != selection and name not in collisions:
            collisions.append(name)
    if not collisions:
        return
    advice = (
        "To resolve this collision, please ensure that the feature views or their own features have different names. "
        "If you're intentionally joining the same feature view twice on different sets of entities, please rename one "
        "of the feature views with '.with_name'."
        if full
        else "To resolve this collision, either use the full feature name by setting 'full_feature_names=True', or "
        "ensure that the features in question have different names."
    )
    raise FeatureNameCollision.because(f"Duplicate features named {', '.join(collisions)} found.\n{advice}", "features")


class _Finder:
    """Looks names up and collects what is wrong, so that a caller hears of all of it at once."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._invalid: list[Problem] = []
        self._unknown: list[Problem] = []

    def _check(self) -> None:
        if self._invalid:
            raise InvalidRequest([*self._invalid, *self._unknown])
        if self._unknown:
            raise UnknownName(self._unknown)

    def finish(self, selections: Sequence[Selection | None]) -> list[Selection]:
        """The selections if nothing was wrong."""
        self._check()
        return [selection for selection in selections if selection is not None]

    def find_reference(self, position: int, reference: str) -> Selection | None:
        """One `view:feature`."""
        if len(self._invalid) + len(self._unknown) >= MAX_PROBLEMS:
            self._check()
        field = f"features[{position}]"
        view_part, colon, feature_name = reference.partition(":")
        if not (colon and view_part and feature_name):
            self._invalid.append(
                Problem(f'A feature reference is "view:feature" or "view@v2:feature", not "{shorten(reference)}".', field)
            )
            return None
        name, version = _split_version(view_part)
        view = self._find_view(name, version, field)
        if view is None:
            return None
        label = name if version is None else f"{name}@v{version}"
        return self._find_feature(view, feature_name, label, name, {}, field)

    def find_projection(self, projection: ProjectionDefinition) -> list[Selection | None]:
        """All that a feature service takes of one view."""
        field = "feature_service"
        view = self._find_view(projection.view, projection.version, field)
        if view is None:
            return []
        name = projection.alias or projection.view
        label = name if projection.version is None else f"{name}@v{projection.version}"
        mapping = projection.join_key_map
        return [self._find_feature(view, feature, label, name, mapping, field) for feature in projection.features]

    def _find_view(self, name: str, version: int | None, field: str) -> ViewDefinition | None:
        catalog = self._catalog
        if version is not None and not catalog.definition.versioning:
            message = (
                f"Version-qualified ref '{shorten(name)}@v{version}' not supported: online versioning is disabled. Set "
                "'enable_online_feature_view_versioning: true' under 'registry' in feature_store.yaml."
            )
            self._invalid.append(Problem(message, field))
            return None
        view = catalog.view(name if version is None else f"{name}@v{version}")
        if view is None:
            self._unknown.append(Problem(self._no_view(name, version), field))
        elif view.refusal:
            self._invalid.append(Problem(view.refusal, field))
            return None
        return view

    def _no_view(self, name: str, version: int | None) -> str:
        catalog = self._catalog
        if version is not None and catalog.view(name) is not None:
            known = sorted(view.partition("@")[2] for view in catalog.definition.views if view.startswith(f"{name}@"))
            message = f"Version v{version} of feature view {name} does not exist in project {catalog.project}."
            return f"{message} There are {', '.join(known)}." if known else message
        names = [view for view in catalog.definition.views if "@" not in view]
        return f"Feature view {shorten(name)} does not exist in project {catalog.project}.{_did_you_mean(name, names)}"

    def _find_feature(
        self, view: ViewDefinition, name: str, label: str, view_name: str, mapping: dict[str, str], field: str
    ) -> Selection | None:
        feature = next((feature for feature in view.features if feature.name == name), None)
        if feature is None:
            names = [feature.name for feature in view.features]
            message = f"Feature view {label} has no feature {shorten(name)}.{_did_you_mean(name, names)}"
            self._unknown.append(Problem(message, field))
            return None
        return Selection(view, feature, label, view_name, mapping)


def _split_version(view: str) -> tuple[str, int | None]:
    """`v@v2` is version 2; `v@latest` and `v@` are the current one; any other suffix belongs to the name."""
    name, at, version = view.partition("@")
    if not at:
        return view, None
    if not version or version.lower() == "latest":
        return name, None
    match = _VERSION.fullmatch(version)
    return (name, int(match[1])) if match else (view, None)


def _did_you_mean(name: str, names: list[str]) -> str:
    found = nearest(shorten(name), names)
    return f" Did you mean {' or '.join(found)}?" if found else ""
