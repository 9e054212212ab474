"""The doctor's rules, each a function of a case that is declared beside it; `glass.doctor` asks them all."""
