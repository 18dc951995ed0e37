"""Side-by-side benchmarks; each is one command and says in its first lines what it compares."""
