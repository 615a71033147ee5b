"""tk ensemble: members, their predictions, searched weights and views."""
