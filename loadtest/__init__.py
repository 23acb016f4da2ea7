"""The side-by-side benchmark: stock Feast's feature server and this one, same core, same data, same requests.

`python -m loadtest --help` lists what it can do; `loadtest/README.md` says how it is put together.
"""
