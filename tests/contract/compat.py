"""Whether a schema still accepts and still carries all that its published version did."""

from typing import Any

Schema = dict[str, Any]


def broken(published: Schema, current: Schema) -> list[str]:
    """What readers or writers of the published schema would stumble over; empty when the change is additive."""
    return list(_compare(published, current, published, current, "$"))


def _resolve(schema: Schema, root: Schema) -> Schema:
    ref = schema.get("$ref")
    return _resolve(root["$defs"][ref.rsplit("/", 1)[1]], root) if ref else schema


def _compare(old: Schema, new: Schema, old_root: Schema, new_root: Schema, at: str) -> Any:
    old, new = _resolve(old, old_root), _resolve(new, new_root)
    if "anyOf" in old or "anyOf" in new:
        yield from _alternatives(old, new, old_root, new_root, at)
        return
    if old.get("type") != new.get("type"):
        yield f"{at}: type {old.get('type')} became {new.get('type')}"
    if "enum" in new and not set(old.get("enum", ["anything"])) <= set(new["enum"]):
        yield f"{at}: a value is not allowed any more"
    if "const" in new and old.get("const") != new["const"]:
        yield f"{at}: another constant"
    if new.get("pattern") not in (None, old.get("pattern")):
        yield f"{at}: another pattern"
    for low in ("minimum", "minLength", "minItems", "exclusiveMinimum"):
        if new.get(low, float("-inf")) > old.get(low, float("-inf")):
            yield f"{at}: {low} is tighter"
    for high in ("maximum", "maxLength", "maxItems", "exclusiveMaximum"):
        if new.get(high, float("inf")) < old.get(high, float("inf")):
            yield f"{at}: {high} is tighter"
    for name in sorted(set(new.get("required", [])) - set(old.get("required", []))):
        yield f"{at}.{name}: is required now"
    for name in sorted(set(old.get("required", [])) - set(new.get("required", []))):
        yield f"{at}.{name}: readers could rely on it, and it may be missing now"
    for name, schema in old.get("properties", {}).items():
        if name not in new.get("properties", {}):
            yield f"{at}.{name}: is gone"
        else:
            yield from _compare(schema, new["properties"][name], old_root, new_root, f"{at}.{name}")
    for part in ("items", "additionalProperties"):
        if isinstance(old.get(part), dict) and isinstance(new.get(part), dict):
            yield from _compare(old[part], new[part], old_root, new_root, f"{at}[]")


def _alternatives(old: Schema, new: Schema, old_root: Schema, new_root: Schema, at: str) -> Any:
    choices = new.get("anyOf", [new])
    for one in old.get("anyOf", [old]):
        if all(list(_compare(one, choice, old_root, new_root, at)) for choice in choices):
            yield f"{at}: one of its forms is not allowed any more"
