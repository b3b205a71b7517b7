"""A function's code as one zip: of a directory, or as it is."""

import io
import os
import pathlib
import stat
import zipfile


def pack(code):
    """The bytes of a zip. `code`: a directory, a .zip file, or the bytes of one."""
    if isinstance(code, (bytes, bytearray, memoryview)):
        return bytes(code)
    path = pathlib.Path(code)
    if path.is_file():
        return path.read_bytes()
    if not path.is_dir():
        raise FileNotFoundError(f"{path}: no directory and no zip file with a function's code")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for folder, folders, names in os.walk(path):
            folders[:] = sorted(f for f in folders if f != "__pycache__")
            for name in sorted(names):
                file = pathlib.Path(folder, name)
                mode = file.stat().st_mode
                if not stat.S_ISREG(mode):
                    raise ValueError(f"{file}: only files and directories can be a function's code")
                # A fixed time: the same files give the same digest.
                info = zipfile.ZipInfo(str(file.relative_to(path)), (1980, 1, 1, 0, 0, 0))
                info.external_attr = (0o755 if mode & 0o111 else 0o644) << 16
                info.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(info, file.read_bytes())
    return out.getvalue()
