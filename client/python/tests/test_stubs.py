# SPDX-License-Identifier: Apache-2.0
"""The stub of the native module says what the module has."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import Any

import isthmus
from isthmus import _native

STUB = ast.parse((Path(isthmus.__file__).parent / "_native.pyi").read_text())


def parameters(function: ast.FunctionDef) -> list[str]:
    return [argument.arg for argument in function.args.args if argument.arg not in ("self", "cls")]


def has(owner: Any, name: str, expected: list[str]) -> None:
    found = inspect.signature(getattr(owner, name)).parameters
    assert [name for name in found if name != "self"] == expected, name


def test_stub_and_module_agree() -> None:
    classes = {node.name: node for node in STUB.body if isinstance(node, ast.ClassDef) and node.name[0] != "_"}
    functions = {node.name: node for node in STUB.body if isinstance(node, ast.FunctionDef)}
    public = {name for name in vars(_native) if not name.startswith("_")}
    assert public == {*classes, *functions}
    for name, function in functions.items():
        has(_native, name, parameters(function))
    for name, stub in classes.items():
        there = getattr(_native, name)
        fields = {node.target.id for node in stub.body if isinstance(node, ast.AnnAssign)}
        methods = {node.name: node for node in stub.body if isinstance(node, ast.FunctionDef)}
        own = {attribute for attribute in vars(there) if not attribute.startswith("_")}
        assert own == fields | set(methods) - {"__new__"}, name
        for method, function in methods.items():
            has(_native, name, parameters(function)) if method == "__new__" else has(there, method, parameters(function))


def test_all_that_is_public_is_documented_and_typed() -> None:
    for name in isthmus.__all__:
        assert getattr(isthmus, name).__doc__, name
    for name, method in inspect.getmembers(isthmus.Client, inspect.isfunction):
        if not name.startswith("_"):
            assert method.__doc__, name
            hints = dict(inspect.get_annotations(method))
            assert {*inspect.signature(method).parameters, "return"} == {*hints, "self"}, name
