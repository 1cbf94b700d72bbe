"""From a source to the catalog: photos are described and written in batches."""
