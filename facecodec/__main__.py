"""`python -m facecodec` is the console script."""

from facecodec.cli.main import run

if __name__ == "__main__":
    run()
