"""The picture seen from the side: as a warp, on another screen, or printed on a desk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from edits.base import Edit
from edits.blur import noisy
from edits.colour import tinted
from edits.pasted import background, wood
from edits.tools import at_least, contain, gradient, image_of, jpeg, longest, pixels, plain_colour

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edits.base import Scene

    Corners = NDArray[np.float32]

REACH = (0.05, 0.1, 0.17)
"""How far a corner may move, as a part of the side, by strength."""


def _corners(left: float, top: float, right: float, bottom: float) -> Corners:
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], dtype=np.float32)


def _moved(corners: Corners, reach: float, scene: Scene) -> Corners:
    """Each corner moved inwards by some part of the sides."""
    sides = corners.max(axis=0) - corners.min(axis=0)
    middle = corners.mean(axis=0)
    steps = np.array([[scene.rng.uniform(0, reach), scene.rng.uniform(0, reach)] for _ in range(4)])
    return np.asarray(corners + np.sign(middle - corners) * steps * sides, dtype=np.float32)


def _warped(picture: Image.Image, corners: Corners, ground: Image.Image) -> Image.Image:
    """The picture drawn into four corners of the ground, with a smooth edge."""
    start = _corners(0, 0, picture.width, picture.height)
    turn = cv2.getPerspectiveTransform(start, corners)
    edge = cv2.BORDER_REPLICATE  # the mask alone fades the edge: fading to black as well would draw a dark line
    inside = cv2.warpPerspective(pixels(picture), turn, ground.size, flags=cv2.INTER_LINEAR, borderMode=edge)
    full = np.full((picture.height, picture.width), 255, dtype=np.uint8)
    mask = cv2.warpPerspective(full, turn, ground.size, flags=cv2.INTER_LINEAR)
    return Image.composite(image_of(inside), ground, image_of(mask))


def _sidewise(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    """Warped on a plain ground, which keeps all of it."""
    ground = Image.new("RGB", picture.size, plain_colour(scene.rng))
    corners = _moved(_corners(0, 0, picture.width, picture.height), REACH[strength] * 1.3, scene)
    return _warped(picture, corners, ground)


def _sidewise_cropped(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    """Warped the other way: its corners are pulled beyond the edge, so that it fills the picture."""
    wide, high = picture.size
    target = _corners(0, 0, wide, high)
    start = _moved(target, REACH[strength], scene)
    turn = cv2.getPerspectiveTransform(start, target)
    return image_of(cv2.warpPerspective(pixels(picture), turn, picture.size, flags=cv2.INTER_LINEAR))


def _moire(picture: Image.Image, amount: float, scene: Scene) -> Image.Image:
    """Two fine gratings at slightly different angles: the waves seen when a camera looks at a screen."""
    down, across = np.ogrid[0 : picture.height, 0 : picture.width]
    waves = np.zeros((picture.height, picture.width), dtype=np.float32)
    angle, period = scene.rng.uniform(0, np.pi), scene.rng.uniform(2.6, 4.2)
    for offset, length in ((0, period), (0.06, period * 1.04), (0.03, scene.rng.uniform(25, 60))):
        turn = angle + offset
        waves += np.sin((across * np.cos(turn) + down * np.sin(turn)).astype(np.float32) * (2 * np.pi / length))
    colours = np.array([1, 0.6, 1.1], dtype=np.float32) * amount
    return image_of(pixels(picture) * (1 + waves[..., None] * colours))


def _lit(picture: Image.Image, strength: float, scene: Scene) -> Image.Image:
    """Uneven light: bright from one side, dark on the other."""
    dark = round(255 * (1 - strength))
    light = gradient((32, 32), (255, 255, 255), (dark, dark, dark), scene.rng.uniform(0, 2 * np.pi)).resize(
        picture.size
    )
    return image_of(pixels(picture) * (pixels(light) / 255 * 1.05))


def _glare(picture: Image.Image, amount: float, scene: Scene) -> Image.Image:
    """The white reflection of a lamp or window."""
    spot = Image.new("L", picture.size)
    wide, high = (side * scene.rng.uniform(0.1, 0.25) for side in picture.size)
    x, y = (side * scene.rng.uniform(0.25, 0.75) for side in picture.size)
    ImageDraw.Draw(spot).ellipse((x - wide, y - high, x + wide, y + high), fill=round(255 * amount))
    spot = spot.resize((64, 64)).filter(ImageFilter.GaussianBlur(5)).resize(picture.size)
    return Image.composite(Image.new("RGB", picture.size, (255, 255, 250)), picture, spot)


def _canvas(picture: Image.Image, width: int, height: int, share: float) -> tuple[int, int]:
    """The size of the photo that is taken: upright or not as the picture is, the picture filling a share of it."""
    inner = contain(picture, width * share, height * share)
    return max(round(width * 0.6), round(inner.width / share)), max(round(height * 0.6), round(inner.height / share))


def _placed(picture: Image.Image, size: tuple[int, int], share: float, reach: float, scene: Scene) -> Corners:
    """Where the corners of the picture come to lie on a ground of this size."""
    inner = contain(picture, size[0] * share, size[1] * share)
    left = (size[0] - inner.width) * scene.rng.uniform(0.35, 0.65)
    top = (size[1] - inner.height) * scene.rng.uniform(0.35, 0.65)
    return _moved(_corners(left, top, left + inner.width, top + inner.height), reach, scene)


def _of_screen(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    """The picture shown on a monitor and photographed: bezel, waves, glare, a colour cast, grain."""
    shown = longest(picture, 560)
    bezel = round(max(shown.size) * scene.rng.uniform(0.03, 0.06))
    case = Image.new(
        "RGB", (shown.width + 2 * bezel, shown.height + 2 * bezel), scene.rng.choice(((18, 18, 20), (60, 60, 64)))
    )
    case.paste(_moire(shown, (0.03, 0.055, 0.09)[strength], scene), (bezel, bezel))
    share = (0.95, 0.88, 0.75)[strength]
    size = _canvas(case, 720, 720, share)
    ground = background(size, scene).point([round(value * 0.4) for value in range(256)] * 3)
    photo = _warped(case, _placed(case, size, share, REACH[strength] * 0.8, scene), ground)
    photo = _glare(photo, (0.25, 0.45, 0.7)[strength], scene)
    photo = tinted(photo, scene.rng.choice(((0.9, 1, 1.15), (1.1, 1, 0.88), (0.95, 1.08, 0.95))))
    return jpeg(noisy(photo, (4, 7, 12)[strength], scene), (85, 75, 60)[strength])


def _of_print(picture: Image.Image, strength: int, scene: Scene) -> Image.Image:
    """The picture printed with a white edge, laid on a desk and photographed under a lamp."""
    shown = at_least(picture, 480)
    edge = round(max(shown.size) * scene.rng.uniform(0, 0.05))
    paper = Image.new("RGB", (shown.width + 2 * edge, shown.height + 2 * edge), (245, 243, 238))
    paper.paste(tinted(shown, (0.97, 0.95, 0.9)), (edge, edge))
    share = (0.92, 0.82, 0.66)[strength]
    size = _canvas(paper, 720, 720, share)
    photo = _warped(paper, _placed(paper, size, share, REACH[strength], scene), wood(size, scene))
    photo = _lit(photo, (0.25, 0.45, 0.65)[strength], scene).filter(ImageFilter.GaussianBlur((0.4, 0.7, 1.1)[strength]))
    return jpeg(noisy(photo, (3, 5, 9)[strength], scene), (85, 75, 60)[strength])


EDITS = (
    Edit("perspective", "perspective", _sidewise),
    Edit("perspective-cropped", "perspective", _sidewise_cropped),
    Edit("photo-of-screen", "perspective", _of_screen),
    Edit("photo-of-print", "perspective", _of_print),
)
