"""Faults that are written without knowledge of the doctor's rules, after these were frozen. Their score stands apart.

Each is declared as in `fault`, with the kind "unseen". Of the doctor, its author may look up the names of the findings,
which are the keys of `ichikara.glass.doctor.RULES`, and nothing else. A fault to which none of them fits accepts none,
and the best answer to it is that the cause is not known. The file stays as it was published; the page has its checksum.
"""
