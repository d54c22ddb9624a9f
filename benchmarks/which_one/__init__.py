"""Which surrogate to take: a study of all shapes at equal width, height and area. `python -m benchmarks.which_one`"""
