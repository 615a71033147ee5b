"""tk bundle, export: trained networks for other machines and programs."""
