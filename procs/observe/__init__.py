"""Looking at a run from outside: samples, screens, taps and profiles.  Nothing here is hot."""
