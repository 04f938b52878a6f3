"""AWS: how jobs and places on S3 are named, what they are asked for with, and what AWS says as one sentence each."""
