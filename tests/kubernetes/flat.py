"""Prints the values of a file of YAML documents, a line each: KIND.path.to.value, a tab, the value."""

import sys

import yaml


def values(path, node):
    if isinstance(node, dict):
        for key, child in node.items():
            values(f"{path}.{key}", child)
    elif isinstance(node, list):
        for number, child in enumerate(node):
            values(f"{path}.{number}", child)
    else:
        print(path, node, sep="\t")


with open(sys.argv[1], encoding="utf-8") as file:
    for document in yaml.safe_load_all(file):
        values(document["kind"], document)
