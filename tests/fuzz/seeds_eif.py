"""Seeds of the target eif, from the model of the format."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "models"))
import eif as model                                            # noqa: E402


def eif():
    yield model.image(model.usual())
    yield model.image(model.usual(certificate=b"der"), flags=1)
    yield model.image([s for s in model.usual(ramdisks=[b""]) if s[0] != model.METADATA], version=2)
    yield model.image(model.usual(), tail=b"x")
    yield model.image(model.usual(), count=6)
    yield model.signature_section(b"der", bytes(48))
    yield model.signature_section(b"der", bytes(48), numbers=False, tag=True)
    yield model.pem(b"der").encode()


SEEDS = {"eif": eif}
