"""What `tk bundle` returns."""

from dataclasses import dataclass

from toolkit.messages import Table
from toolkit.report.result import Result


@dataclass(frozen=True)
class BundleResult(Result):
    """The bundle that `tk bundle` has written; sizes are bytes by what they are of, the last is all of it."""

    experiments: list[str]
    path: str
    networks: int
    engine: str
    sizes: dict[str, int]
    code: list[str]
    warnings: list[str]
    platform: str | None
    user: str

    def tables(self) -> list[Table]:
        """The sizes."""
        rows = [(name, size_text(size)) for name, size in self.sizes.items()]
        title = f"{self.path}: {', '.join(self.experiments)}, {self.networks} networks, {self.engine}"
        return [Table(title, ("", "size"), rows)]

    def next_steps(self) -> list[str]:
        """The own code that travels, and the commands that upload the bundle."""
        code = [f"own code in it: {', '.join(self.code)}"] if self.code else []
        fill = "" if self.user else "put your user name into its two metadata files, then "
        upload = f"kaggle datasets create -p {self.path} -r zip, and kaggle kernels push -p {self.path}"
        return [*code, f"try it here: python {self.path}/predict.py --images FOLDER", f"next: {fill}{upload}"]


def size_text(size: int) -> str:
    """A size in MB, or GB from 1000 MB on."""
    return f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"
