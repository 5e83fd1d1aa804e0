"""The tag of the wheel. All else stands in pyproject.toml."""

import pathlib
import re

from setuptools import Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel

PACKAGE = pathlib.Path(__file__).parent / "src/whisper_messaging"


class WithLibrary(Distribution):
    """A package for one kind of machine."""

    def has_ext_modules(self):
        return True


class Wheel(bdist_wheel):
    """The library is loaded and not linked: any Python 3 takes it."""

    def get_tag(self):
        _, _, platform = super().get_tag()
        return "py3", "none", platform.replace("linux_", f"{c_library()}_", 1)


def c_library():
    """What pip calls a Linux with the C library that the library needs: manylinux_2_34, say."""
    library = next(PACKAGE.glob("libwhisper_bindings.*"))
    versions = re.findall(rb"GLIBC_(\d+)\.(\d+)", library.read_bytes())
    if not versions:
        return "linux"
    major, minor = max((int(major), int(minor)) for major, minor in versions)
    return f"manylinux_{major}_{minor}"


setup(distclass=WithLibrary, cmdclass={"bdist_wheel": Wheel})
