"""What is made of a lesson besides its page: a run in the terminal, a notebook, static pages, a teacher's key."""
