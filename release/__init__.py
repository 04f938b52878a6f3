"""What a release needs beside the package: the site's pages, and the check that everything works without the clone."""
