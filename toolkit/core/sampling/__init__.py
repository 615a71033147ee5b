"""What an epoch trains on: negatives, patches, class weights."""
