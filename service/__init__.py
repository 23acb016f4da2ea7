"""An online feature server for Feast. docs/architecture.md is the map."""
