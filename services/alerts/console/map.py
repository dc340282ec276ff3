"""GeoJSON of towns as paths to draw: no tiles and nothing from outside. Plain projection, good for a district."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

WIDTH: Final = 600.0
MOST_POINTS: Final = 200_000
Ring = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Area:
    """One town: its code and its outlines in degrees."""

    code: str
    rings: tuple[Ring, ...]


@dataclass(frozen=True)
class Shape:
    """One town on the picture: path data, and where its name stands."""

    code: str
    path: str
    x: float
    y: float


@dataclass(frozen=True)
class Picture:
    """The towns within `width` × `height`."""

    width: float
    height: float
    areas: tuple[Shape, ...]


def areas(document: Any) -> list[Area]:
    """Towns of a FeatureCollection; `properties.code` (or `adcode`) is the unit's code. Others are left out."""
    found: list[Area] = []
    points = 0
    features = document.get("features", []) if isinstance(document, dict) else []
    for feature in features:
        properties, geometry = feature.get("properties") or {}, feature.get("geometry") or {}
        code = str(properties.get("code") or properties.get("adcode") or "")
        rings = tuple(_rings(geometry))
        points += sum(len(ring) for ring in rings)
        if points > MOST_POINTS:
            raise ValueError(f"the map has more than {MOST_POINTS} points; simplify it")
        if code.isascii() and code.isdecimal() and rings:
            found.append(Area(code, rings))
    return found


def _rings(geometry: Any) -> Iterator[Ring]:
    kind, coordinates = geometry.get("type"), geometry.get("coordinates") or []
    polygons: Sequence[Any] = {"Polygon": [coordinates], "MultiPolygon": coordinates}.get(str(kind), [])
    for polygon in polygons:
        for ring in polygon:
            yield tuple((float(point[0]), float(point[1])) for point in ring)


def picture(shapes: Sequence[Area]) -> Picture:
    """Project: longitude shrinks with the cosine of the latitude; north is up."""
    points = [point for area in shapes for ring in area.rings for point in ring]
    if not points:
        return Picture(WIDTH, WIDTH, ())
    west, east = min(x for x, _ in points), max(x for x, _ in points)
    south, north = min(y for _, y in points), max(y for _, y in points)
    narrow = math.cos(math.radians((south + north) / 2))
    scale = WIDTH / max((east - west) * narrow, 1e-9)

    def at(point: tuple[float, float]) -> tuple[float, float]:
        return (point[0] - west) * narrow * scale, (north - point[1]) * scale

    drawn = []
    for area in shapes:
        rings = [[at(point) for point in ring] for ring in area.rings]
        path = "".join("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in ring) + "Z" for ring in rings)
        largest = max(rings, key=len)
        middle = (sum(x for x, _ in largest) / len(largest), sum(y for _, y in largest) / len(largest))
        drawn.append(Shape(area.code, path, *middle))
    return Picture(WIDTH, max((north - south) * scale, 1.0), tuple(drawn))
