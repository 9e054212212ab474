"""Floor 9: the course. Lessons, what is made of them, and the server that shows them in a browser.

A lesson is a folder in `lessons`; `ichikara learn` opens the course.
"""
