"""One module per command of vortexctl, each imported only when it is called."""
