"""YAML configuration files validated by a pydantic model; an error names the file and the line."""

from collections.abc import Sequence
from pathlib import Path
from typing import Generic, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

M = TypeVar("M", bound=BaseModel)


class ConfigError(ValueError):
    """A configuration file that cannot be used: `source`, `line` (from 1) and what to change."""

    def __init__(self, source: str, line: int, message: str) -> None:
        super().__init__(f"{source}:{line}: {message}")
        self.source, self.line, self.message = source, line, message


class YamlDocument(Generic[M]):
    """A validated file: the model in `.value`, and where each value stands, for errors about it."""

    def __init__(self, source: str, root: yaml.Node, value: M) -> None:
        self.source, self.value, self._root = source, value, root

    def line(self, *path: str | int) -> int:
        """Line (from 1) of the deepest part of `path` that the file has."""
        return _line(self._root, path)

    def error(self, message: str, *path: str | int) -> ConfigError:
        """Error about the value at `path`, for rules that a field cannot check by itself."""
        return ConfigError(self.source, self.line(*path), message)


def read_yaml(path: Path, model: type[M]) -> YamlDocument[M]:
    """Read and validate `path`; raises `ConfigError`: no file, bad YAML, a repeated key, a value the model refuses."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(str(path), 1, f"cannot be read: {error}") from error
    return parse_yaml(text, model, source=str(path))


def parse_yaml(text: str, model: type[M], *, source: str = "<text>") -> YamlDocument[M]:
    """Validate YAML text; `source` is the name that errors show."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        raise ConfigError(source, mark.line + 1 if mark else 1, f"is not valid YAML: {problem}") from error
    except RecursionError as error:
        raise ConfigError(source, 1, "is nested too deeply") from error
    except ValueError as error:  # a scalar that looks like a date and is none
        raise ConfigError(source, _line_of_unreadable(root), f"holds a value that cannot be read: {error}") from error
    if root is None:
        raise ConfigError(source, 1, "is empty")
    _refuse_repeated_keys(root, source)
    try:
        value = model.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        message = f"{where}: {first['msg']}{more}" if where else f"{first['msg']}{more}"
        raise ConfigError(source, _line(root, first["loc"]), message) from error
    return YamlDocument(source, root, value)


def _line_of_unreadable(root: yaml.Node | None) -> int:
    """Line of the first scalar that YAML itself cannot read, such as 2022-02-30."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:timestamp":
            try:
                yaml.safe_load(node.value)
            except ValueError:
                return int(node.start_mark.line) + 1
        elif isinstance(node, yaml.SequenceNode):
            waiting += reversed(node.value)
        elif isinstance(node, yaml.MappingNode):
            waiting += (part for pair in reversed(node.value) for part in reversed(pair))
    return 1


def _line(node: yaml.Node, path: Sequence[str | int]) -> int:
    line = node.start_mark.line + 1
    for part in path:
        step = _step(node, part)
        if step is None:
            continue  # pydantic adds parts such as "[key]" that the file does not have
        line, node = step
    return line


def _step(node: yaml.Node, part: str | int) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part].start_mark.line + 1, node.value[part]
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(part):
                return key.start_mark.line + 1, value
    return None


def _refuse_repeated_keys(root: yaml.Node, source: str) -> None:
    stack, visited = [root], set[int]()
    while stack:
        node = stack.pop()
        if id(node) in visited:  # an anchor used twice, or one that holds itself
            continue
        visited.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            stack.extend(node.value)
        elif isinstance(node, yaml.MappingNode):
            keys: dict[str, int] = {}
            for key, value in node.value:
                line = key.start_mark.line + 1
                if key.value in keys and isinstance(key, yaml.ScalarNode):
                    raise ConfigError(source, line, f"{key.value!r} is given twice (first on line {keys[key.value]})")
                if isinstance(key, yaml.ScalarNode):
                    keys[key.value] = line
                stack.append(value)
