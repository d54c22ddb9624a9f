"""The whole time loop of an elementwise cell as one kernel, forwards and backwards, made from the cell's own step."""
