"""Cards as people handle them: codes drawn, photographed badly, and read by a decoder that nobody
here wrote. The texts are those of the vectors."""

import unittest

import numpy
import segno
import zxingcpp
from PIL import Image, ImageFilter

import cards
from primitives import H
from test_vectors import load

QUIET = 4  # modules


def photograph(text, version, pixels, turn, blur, noise):
    """The code with so many pixels a module: turned, out of focus, with noise, dim."""
    code = segno.make_qr(text, error="l", mode="alphanumeric", version=version, boost_error=False)
    fine = 8
    modules = numpy.array([list(row) for row in code.matrix_iter(border=QUIET)], dtype=numpy.uint8)
    picture = Image.fromarray((255 - 235 * modules).astype(numpy.uint8))
    picture = picture.resize((modules.shape[1] * fine, modules.shape[0] * fine), Image.NEAREST)
    picture = picture.rotate(turn, Image.BICUBIC, expand=True, fillcolor=255)
    picture = picture.filter(ImageFilter.GaussianBlur(blur * fine / pixels))
    size = [round(side * pixels / fine) for side in picture.size]
    picture = numpy.asarray(picture.resize(size, Image.BOX), dtype=float)
    random = numpy.random.default_rng(seed=version * 1000 + round(turn))
    picture = picture * 0.8 + 20 + random.normal(0, noise, picture.shape)
    return numpy.clip(picture, 0, 255).astype(numpy.uint8)


def read(picture):
    found = zxingcpp.read_barcodes(picture, formats=zxingcpp.BarcodeFormat.QRCode)
    return found[0].text if found else None


VIEWS = [(turn, blur, noise) for turn in (0, 4, 11, 45, 90, 178) for blur, noise in
         [(0, 0), (0.5, 6), (0.7, 3)]]


class Codes(unittest.TestCase):
    def setUp(self):
        self.texts = {case["id"]: case["texts"] for case in load("cards.json")["texts"]}

    def views(self, text, version, pixels):
        """How many of the views are read."""
        pictures = (photograph(text, version, pixels, *view) for view in VIEWS)
        return sum(read(picture) == text for picture in pictures)

    def assert_read(self, text, version):
        """From 2.5 pixels a module nearly every view is read, from 3 each of them."""
        self.assertEqual(segno.make_qr(text, error="l", boost_error=False).version, version)
        self.assertGreaterEqual(self.views(text, version, 2.5), len(VIEWS) - 2)
        self.assertEqual(self.views(text, version, 3), len(VIEWS))

    def test_one_code_of_version_28_is_read(self):
        for name in ("QR text", "QR text with O"):
            self.assert_read(self.texts[name][0], 28)

    def test_five_codes_of_version_11_give_the_card_in_any_order(self):
        parts = self.texts["five parts"]
        for part in parts:
            self.assert_read(part, 11)
        seen = [read(photograph(part, 11, 2.5, 4, 0.5, 6)) for part in reversed(parts)]
        whole = self.texts["QR text"][0]
        self.assertEqual(H(cards.from_parts(seen)), H(cards.from_text(whole)))

    def test_too_few_pixels_are_not_enough(self):
        """So the tests above are about something."""
        self.assertEqual(self.views(self.texts["QR text"][0], 28, 1.2), 0)


if __name__ == "__main__":
    unittest.main()
