"""What the notebooks share: tested functions, one noun a module, imports pointing one way."""
