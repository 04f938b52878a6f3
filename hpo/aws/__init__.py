"""AWS: names of jobs and S3 paths, requests to SageMaker and S3, and their errors as one sentence each."""
