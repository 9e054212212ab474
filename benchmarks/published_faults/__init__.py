"""Published faulty programs and their repairs, ported: does the doctor name what ails them?

The facts (what the net, the data and the fault were, and what the repair) are the sources'; the programs are our own.
The rules of the doctor have not been adapted to them.
"""
