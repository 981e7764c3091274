"""One module for each group of ``tongda`` commands; thin: they call the rooms and print."""
