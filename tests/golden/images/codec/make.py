"""Small files of every kind, and what Pillow reads in them with `Image.open(..).convert("RGB")`.

Kinds that Pillow cannot write (odd bit depths, transparent levels, interlace, old bitmaps) are
written here from the specifications. Run in this folder.
"""

import base64
import io
import json
import pathlib
import struct
import zlib

import numpy as np
import PIL
from PIL import Image, features

HERE = pathlib.Path(__file__).parent
rng = np.random.default_rng(0)
W, H = 13, 11


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def packed(rows, depth):
    """Rows of samples [h, samples] as unfiltered scan lines."""
    lines = []
    for row in rows:
        if depth == 16:
            line = row.astype(">u2").tobytes()
        elif depth == 8:
            line = row.astype(np.uint8).tobytes()
        else:
            bits = "".join(format(int(v), f"0{depth}b") for v in row)
            bits += "0" * (-len(bits) % 8)
            line = int(bits, 2).to_bytes(len(bits) // 8, "big")
        lines.append(b"\0" + line)
    return b"".join(lines)


ADAM7 = [  # x, y, step in x, step in y
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
]


def png(samples, depth, kind, before=(), interlace=False):
    """samples [h, w, channels]."""
    h, w, _ = samples.shape
    if interlace:
        data = b""
        for x, y, dx, dy in ADAM7:
            part = samples[y::dy, x::dx]
            if part.size:
                data += packed(part.reshape(part.shape[0], -1), depth)
    else:
        data = packed(samples.reshape(h, -1), depth)
    header = struct.pack(">IIBBBBB", w, h, depth, kind, 0, 0, int(interlace))
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + b"".join(chunk(k, b) for k, b in before)
        + chunk(b"IDAT", zlib.compress(data, 9))
        + chunk(b"IEND", b"")
    )


def noise(depth, channels):
    return rng.integers(0, 1 << depth, (H, W, channels))


def pngs():
    grey, grey_alpha, colour, colour_alpha, index = 0, 4, 2, 6, 3
    for depth in (1, 2, 4, 8, 16):
        yield f"grey-{depth}.png", png(noise(depth, 1), depth, grey)
    for depth in (8, 16):
        yield f"grey-alpha-{depth}.png", png(noise(depth, 2), depth, grey_alpha)
        yield f"rgb-{depth}.png", png(noise(depth, 3), depth, colour)
        yield f"rgba-{depth}.png", png(noise(depth, 4), depth, colour_alpha)
    palette = rng.integers(0, 256, (256, 3)).astype(np.uint8)
    for depth in (1, 2, 4, 8):
        entries = palette[: 1 << depth].tobytes()
        yield f"palette-{depth}.png", png(noise(depth, 1), depth, index, [(b"PLTE", entries)])
    alphas = rng.integers(0, 256, 256).astype(np.uint8).tobytes()
    chunks = [(b"PLTE", palette.tobytes()), (b"tRNS", alphas)]
    yield "palette-transparent.png", png(noise(8, 1), 8, index, chunks)
    samples = noise(16, 1)
    samples[:3] %= 512  # Levels around the limit where Pillow clips.
    level = struct.pack(">H", int(samples[4, 4, 0]))
    yield "grey-16-transparent.png", png(samples, 16, grey, [(b"tRNS", level)])
    samples = noise(2, 1)
    yield "grey-2-transparent.png", png(samples, 2, grey, [(b"tRNS", struct.pack(">H", 2))])
    samples = noise(8, 3)
    key = struct.pack(">HHH", *map(int, samples[2, 3]))
    yield "rgb-8-transparent.png", png(samples, 8, colour, [(b"tRNS", key)])
    yield "rgb-8-interlaced.png", png(noise(8, 3), 8, colour, interlace=True)
    yield "grey-1-interlaced.png", png(noise(1, 1), 1, grey, interlace=True)
    yield "rgb-8-gamma.png", png(noise(8, 3), 8, colour, [(b"gAMA", struct.pack(">I", 100000))])
    yield "one-pixel.png", png(noise(8, 3)[:1, :1], 8, colour)
    frames = [Image.fromarray(noise(8, 3).astype(np.uint8)) for _ in range(2)]
    yield "animated.png", saved(frames[0], "PNG", save_all=True, append_images=frames[1:])


def scene(width, height):
    """Slopes, hard edges, saturated colours and a little noise."""
    y, x = np.mgrid[:height, :width]
    waves = 128 + 100 * np.sin(x / 3) * np.cos(y / 4)
    rgb = np.stack([x * 255 / width, y * 255 / height, waves], -1)
    rgb[(x - width / 2) ** 2 + (y - height / 2) ** 2 < (height / 3) ** 2] = (250, 20, 60)
    rgb[:, width // 5] = (0, 0, 255)
    rgb[height // 4] = (255, 255, 0)
    rgb += rng.normal(0, 6, rgb.shape)
    return Image.fromarray(rgb.clip(0, 255).astype(np.uint8))


def saved(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def jpegs():
    picture = scene(45, 37)
    for name, mode, options in [
        ("420", "RGB", dict(subsampling="4:2:0", quality=75)),
        ("422", "RGB", dict(subsampling="4:2:2", quality=75)),
        ("444", "RGB", dict(subsampling="4:4:4", quality=75)),
        ("420-q30", "RGB", dict(subsampling="4:2:0", quality=30)),
        ("420-q95", "RGB", dict(subsampling="4:2:0", quality=95)),
        ("grey", "L", dict(quality=75)),
        ("420-progressive", "RGB", dict(subsampling="4:2:0", quality=75, progressive=True)),
        ("444-progressive", "RGB", dict(subsampling="4:4:4", quality=75, progressive=True)),
        ("grey-progressive", "L", dict(quality=75, progressive=True)),
        ("420-restarts", "RGB", dict(subsampling="4:2:0", quality=75, restart_marker_blocks=2)),
        ("rgb", "RGB", dict(keep_rgb=True, quality=75)),
        ("cmyk", "CMYK", dict(quality=75)),
    ]:
        image = picture.convert(mode)
        if mode == "CMYK":  # Pillow's own conversion leaves black empty.
            levels = np.asarray(image).copy()
            levels[..., 3] = levels[..., :3].min(-1)
            image = Image.fromarray(levels, "CMYK")
        yield f"{name}.jpg", saved(image, "JPEG", **options)
    exif = Image.Exif()
    exif[0x0112] = 6  # Turned by 90 degrees.
    yield "turned.jpg", saved(picture.crop((0, 0, 20, 11)), "JPEG", exif=exif)
    yield "420-one-pixel.jpg", saved(picture.crop((3, 3, 4, 4)), "JPEG")
    yield "420-narrow.jpg", saved(picture.crop((3, 3, 8, 30)), "JPEG")


def webps():
    picture = scene(45, 37)
    alpha = Image.fromarray(rng.integers(0, 256, (37, 45)).astype(np.uint8))
    clear = picture.copy()
    clear.putalpha(alpha)
    small = [picture.crop((0, 0, W, H)), picture.crop((9, 9, 9 + W, 9 + H))]
    yield "lossless.webp", saved(small[0], "WEBP", lossless=True)
    yield "lossless-alpha.webp", saved(clear.crop((0, 0, W, H)), "WEBP", lossless=True, exact=True)
    yield "lossy.webp", saved(picture, "WEBP", quality=80)
    yield "lossy-alpha.webp", saved(clear, "WEBP", quality=80, exact=True)
    options = dict(save_all=True, append_images=small[1:], lossless=True)
    yield "animated.webp", saved(small[0], "WEBP", **options)


def bmp(lines, bits, height, compression=0, palette=b"", masks=b""):
    fields = (40, W, height, 1, bits, compression, len(lines), 0, 0, len(palette) // 4, 0)
    header = struct.pack("<IiiHHIIiiII", *fields)
    start = 14 + len(header) + len(masks) + len(palette)
    first = struct.pack("<2sIHHI", b"BM", start + len(lines), 0, 0, start)
    return first + header + masks + palette + lines


def bmps():
    picture = scene(W, H)
    yield "rgb.bmp", saved(picture, "BMP")
    yield "rgba.bmp", saved(picture.convert("RGBA"), "BMP")
    yield "grey.bmp", saved(picture.convert("L"), "BMP")
    yield "palette.bmp", saved(picture.quantize(40), "BMP")
    yield "bits.bmp", saved(picture.convert("1"), "BMP")
    row = lambda raw: raw + b"\0" * (-len(raw) % 4)
    deep = rng.integers(0, 1 << 15, (H, W)).astype("<u2")
    yield "555.bmp", bmp(b"".join(row(r.tobytes()) for r in deep), 16, H)
    deep = rng.integers(0, 1 << 16, (H, W)).astype("<u2")
    masks = struct.pack("<III", 0xF800, 0x07E0, 0x001F)
    lines = b"".join(row(r.tobytes()) for r in deep)
    yield "565.bmp", bmp(lines, 16, H, compression=3, masks=masks)
    palette = rng.integers(0, 256, (16, 4)).astype(np.uint8)
    palette[:, 3] = 0
    levels = rng.integers(0, 16, (H, W + 1))
    lines = [row(bytes(a * 16 + b for a, b in zip(r[::2], r[1::2]))) for r in levels.tolist()]
    yield "palette-4.bmp", bmp(b"".join(lines), 4, H, palette=palette.tobytes())
    colours = rng.integers(0, 256, (H, W, 3)).astype(np.uint8)
    yield "top-down.bmp", bmp(b"".join(row(r.tobytes()) for r in colours), 24, -H)
    palette = rng.integers(0, 256, (256, 4)).astype(np.uint8)
    palette[:, 3] = 0
    pairs = rng.integers(0, 256, (H, 2)).tolist()
    runs = b"".join(bytes([5, a, W - 5, b, 0, 0]) for a, b in pairs)
    yield "runs.bmp", bmp(runs + b"\0\1", 8, H, compression=1, palette=palette.tobytes())


want = {}
for family in (pngs, jpegs, webps, bmps):
    for name, content in family():
        (HERE / name).write_bytes(content)
        image = Image.open(io.BytesIO(content)).convert("RGB")
        rgb = base64.b64encode(image.tobytes()).decode()
        want[name] = {"width": image.width, "height": image.height, "rgb": rgb}
(HERE / "pillow.json").write_text(json.dumps(want, indent=0) + "\n")
versions = {name: features.version(name) for name in ("libjpeg_turbo", "webp", "zlib")}
versions = {"pillow": PIL.__version__, "numpy": np.__version__} | versions
(HERE / "versions.txt").write_text("".join(f"{k} {v}\n" for k, v in versions.items()))
