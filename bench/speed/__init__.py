"""How fast this project is, as ratios to other ways of doing the same, measured side by side in one process.

``pytest -m speed --benchmark-json=FILE`` measures, ``python -m bench.speed FILE`` prints the table. What is compared:

- a training step, data included: the plain loop of released code, the same loop on resident data, and our engine;
- every score, against the textbook's way to compute it;
- mask and surgery, against concatenate, sort, threshold and copy;
- reading the registry, against parsing its files; and the report, which is compared with nothing.

Only training has a released way that is not the textbook's, hence two baselines; the others have one.

The competitors of a test take turns round by round (A B C A B C ...), so that a machine that slows down slows them all.
A ratio is formed within a round; its median over n rounds is reported with the lowest and the highest.

``bench.environment.settle`` makes glibc keep freed memory. That holds for the whole process, so the baselines gain by
it too (a third on the CPU for some networks), and the ratios are lower than against a process of their own.
"""
