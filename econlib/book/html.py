"""Build the HTML book from executed notebooks: ``python -m econlib.book.html ROOT``.

``ROOT`` is the repository, whose notebooks are committed with their outputs, or the
folder of a fresh run of the whole book, which holds the executed notebooks alone and
gets the rest of the book's sources from the repository first.  Nothing is executed
here.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["assemble", "build"]

_REPOSITORY = Path(__file__).resolve().parents[2]
_FOLDERS = ("_ext", "_static", "chapters", "data", "reference")
_FILES = ("_config.yml", "_toc.yml", "*.md", "*.bib", "*.svg", "*.png", "*.ico")


def assemble(root: Path, repository: Path = _REPOSITORY) -> None:
    """Add to ``root`` each source of the book that it does not hold yet.

    Parameters
    ----------
    root : Path
        Folder of executed notebooks, laid out as the repository is.
    repository : Path
        Where the book's sources are.

    Notes
    -----
    A committed notebook never stands in for one that failed to run: notebooks are not
    copied.  Sources of an earlier run are replaced.
    """
    for name in _FOLDERS:
        if (repository / name).is_dir():
            shutil.copytree(
                repository / name,
                root / name,
                dirs_exist_ok=True,
                ignore=shutil.ignore_patterns("*.ipynb", "__pycache__", "runs.json"),
            )
    for pattern in _FILES:
        for path in repository.glob(pattern):
            shutil.copy2(path, root / path.name)


def build(root: Path) -> int:
    """Build ``root/_build/html`` with warnings as errors.

    Parameters
    ----------
    root : Path
        The repository or a folder of executed notebooks.

    Returns
    -------
    int
        Exit status of jupyter-book: 0 when the book was built without a warning.

    Raises
    ------
    FileNotFoundError
        ``root`` holds no ``chapters`` folder.
    """
    root = root.resolve()
    if not (root / "chapters").is_dir():
        raise FileNotFoundError(
            f"root = {root}: expected a folder that holds chapters/. "
            "Run `make reproduce` first, or name the repository."
        )
    if root != _REPOSITORY:
        assemble(root)
    main = "from jupyter_book.cli.main import main; main()"
    options = ["-n", "-W", "--keep-going", "-q"]
    status = subprocess.run([sys.executable, "-c", main, "build", str(root), *options])
    if status.returncode == 0:
        print(f"Book: {root / '_build' / 'html' / 'index.html'}")
    return status.returncode


if __name__ == "__main__":
    sys.exit(build(Path(sys.argv[1] if len(sys.argv) > 1 else ".")))
