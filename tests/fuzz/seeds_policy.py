"""Seeds of the targets note and witness: the examples of the C2SP specifications."""
BODY = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
LOG = "\u2014 example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
WITNESS = "\u2014 witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
PROOF = "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\njrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=\n"


def note():
    yield (BODY + "\n" + LOG + WITNESS).encode()
    yield (BODY + "extension\n\n" + LOG).encode()
    yield ("a\n\nb\n\n" + WITNESS).encode()
    yield b"PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"


def witness():
    yield ("old 20852014\n" + PROOF + "\n" + BODY + "\n" + LOG).encode()
    yield ("old 0\n\n" + BODY + "\n" + LOG + WITNESS).encode()
    yield ("old 20852163\n\n" + BODY + "\n" + WITNESS).encode()


SEEDS = {"note": note, "witness": witness}
