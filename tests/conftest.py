"""Owns what integration and conformance tests share: the path to tests/support, and its fixtures."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

pytest_plugins = ("support.fixtures",)
