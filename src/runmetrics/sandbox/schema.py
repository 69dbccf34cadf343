"""The executable schema: schema.graphql with its resolvers, less what an old server lacks."""

import functools
from importlib.resources import files

from graphql import GraphQLObjectType, GraphQLSchema, build_schema

from runmetrics.sandbox.quirks import Quirks
from runmetrics.sandbox.resolvers import RESOLVERS, guarded
from runmetrics.sandbox.writing import MUTATIONS


def schema_for(quirks: Quirks) -> GraphQLSchema:
    """Return a strict schema: what it does not name is refused."""
    return _schema(
        frozenset(quirks.unknown_fields), frozenset(name for _, name in quirks.unreadable)
    )


@functools.cache
def _schema(unknown_fields: frozenset[str], unreadable: frozenset[str]) -> GraphQLSchema:
    schema = build_schema(files(__package__).joinpath("schema.graphql").read_text())
    for type_name, resolvers in {**RESOLVERS, "Mutation": MUTATIONS}.items():
        kind = _object_type(schema, type_name)
        for name, resolve in resolvers.items():
            kind.fields[name].resolve = resolve
    for unknown in unknown_fields:
        _forget(schema, unknown)
    fields = _object_type(schema, "Run").fields
    for name in fields.keys() & unreadable:
        fields[name].resolve = guarded(name, fields[name].resolve)
    if "node" in unreadable:
        node = _object_type(schema, "RunEdge").fields["node"]
        node.resolve = guarded("node", lambda edge, _info: edge["node"])
    return schema


def _object_type(schema: GraphQLSchema, name: str) -> GraphQLObjectType:
    kind = schema.type_map[name]
    if not isinstance(kind, GraphQLObjectType):
        raise TypeError(f"{name} is no object type of the schema")
    return kind


def _forget(schema: GraphQLSchema, unknown: str) -> None:
    """Drop a field "runInfo", or an argument "summaryMetrics(keys)", wherever it is."""
    field, _, argument = unknown.rstrip(")").partition("(")
    for kind in schema.type_map.values():
        if not isinstance(kind, GraphQLObjectType) or field not in kind.fields:
            continue
        if argument:
            kind.fields[field].args.pop(argument, None)
        else:
            del kind.fields[field]
