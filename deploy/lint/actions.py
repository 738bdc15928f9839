"""Rule about the names of IAM's actions: one that does not exist is allowed by IAM, and allows nothing.

The actions of the services that consumers mostly call, as the Service Authorization Reference lists them (November 2026).
Other services' are not looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.config.problems import nearest
from deploy.lint.finding import Remark

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.lint.finding import Subject

_ACTIONS = {
    service: tuple(names.split())
    for service, names in {
        "dynamodb": """
        AssociateTableReplica BatchGetItem BatchWriteItem ConditionCheckItem CreateBackup CreateGlobalTable
        CreateGlobalTableWitness CreateTable CreateTableReplica DeleteBackup DeleteGlobalTableWitness
        DeleteItem DeleteResourcePolicy DeleteTable DeleteTableReplica DescribeBackup
        DescribeContinuousBackups DescribeContributorInsights DescribeEndpoints DescribeExport
        DescribeGlobalTable DescribeGlobalTableSettings DescribeImport DescribeKinesisStreamingDestination
        DescribeLimits DescribeReservedCapacity DescribeReservedCapacityOfferings DescribeStream DescribeTable
        DescribeTableReplicaAutoScaling DescribeTimeToLive DisableKinesisStreamingDestination
        EnableKinesisStreamingDestination ExportTableToPointInTime GetAbacStatus GetItem GetRecords
        GetResourcePolicy GetShardIterator ImportTable InjectError ListBackups ListContributorInsights
        ListExports ListGlobalTables ListImports ListStreams ListTables ListTagsOfResource PartiQLDelete
        PartiQLInsert PartiQLSelect PartiQLUpdate PurchaseReservedCapacityOfferings PutItem PutResourcePolicy
        Query ReadDataForReplication ReplicateSettings RestoreTableFromAwsBackup RestoreTableFromBackup
        RestoreTableToPointInTime Scan SearchVectors StartAwsBackupJob TagResource UntagResource
        UpdateAbacStatus UpdateContinuousBackups UpdateContributorInsights UpdateGlobalTable
        UpdateGlobalTableSettings UpdateGlobalTableVersion UpdateItem UpdateKinesisStreamingDestination
        UpdateTable UpdateTableReplicaAutoScaling UpdateTimeToLive WriteDataForReplication
        """,
        "firehose": """
        CreateDeliveryStream DeleteDeliveryStream DescribeDeliveryStream ListDeliveryStreams
        ListTagsForDeliveryStream PutRecord PutRecordBatch StartDeliveryStreamEncryption
        StopDeliveryStreamEncryption TagDeliveryStream UntagDeliveryStream UpdateDestination
        """,
        "kinesis": """
        AddTagsToStream AssociateStreamsWithChannel CreateChannel CreateStream DecreaseStreamRetentionPeriod
        DeleteChannel DeleteResourcePolicy DeleteStream DeregisterStreamConsumer DescribeAccountSettings
        DescribeChannel DescribeLimits DescribeStream DescribeStreamConsumer DescribeStreamSummary
        DisableEnhancedMonitoring EnableEnhancedMonitoring GetRecords GetResourcePolicy GetShardIterator
        IncreaseStreamRetentionPeriod InjectApiError ListChannels ListShards ListStreamConsumers ListStreams
        ListTagsForResource ListTagsForStream MergeShards PutRecord PutRecords PutResourcePolicy
        RegisterStreamConsumer RemoveTagsFromStream SplitShard StartStreamEncryption StopStreamEncryption
        SubscribeToShard TagResource UntagResource UpdateAccountSettings UpdateChannel UpdateMaxRecordSize
        UpdateShardCount UpdateStreamMode UpdateStreamRecordDistributionStrategy UpdateStreamWarmThroughput
        """,
        "kms": """
        CancelKeyDeletion ConnectCustomKeyStore CreateAlias CreateCustomKeyStore CreateGrant CreateKey Decrypt
        DeleteAlias DeleteCustomKeyStore DeleteImportedKeyMaterial DeriveSharedSecret DescribeCustomKeyStores
        DescribeKey DisableKey DisableKeyRotation DisconnectCustomKeyStore EnableKey EnableKeyRotation Encrypt
        GenerateDataKey GenerateDataKeyPair GenerateDataKeyPairWithoutPlaintext
        GenerateDataKeyWithoutPlaintext GenerateMac GenerateRandom GetKeyLastUsage GetKeyPolicy
        GetKeyRotationStatus GetParametersForImport GetPublicKey ImportKeyMaterial ListAliases ListGrants
        ListKeyPolicies ListKeyRotations ListKeys ListResourceTags ListRetirableGrants PutKeyPolicy
        ReEncryptFrom ReEncryptTo ReplicateKey RetireGrant RevokeGrant RotateKeyOnDemand ScheduleKeyDeletion
        Sign SynchronizeMultiRegionKey TagResource UntagResource UpdateAlias UpdateCustomKeyStore
        UpdateKeyDescription UpdatePrimaryRegion Verify VerifyMac
        """,
        "secretsmanager": """
        BatchGetSecretValue CancelRotateSecret CreateSecret DeleteResourcePolicy DeleteSecret DescribeSecret
        GetRandomPassword GetResourcePolicy GetSecretValue ListSecretVersionIds ListSecrets PutResourcePolicy
        PutSecretValue RemoveRegionsFromReplication ReplicateSecretToRegions RestoreSecret RotateSecret
        StopReplicationToReplica TagResource UntagResource UpdateSecret UpdateSecretVersionStage
        ValidateResourcePolicy
        """,
        "sns": """
        AddPermission CheckIfPhoneNumberIsOptedOut ConfirmSubscription CreatePlatformApplication
        CreatePlatformEndpoint CreateSMSSandboxPhoneNumber CreateTopic DeleteEndpoint
        DeletePlatformApplication DeleteSMSSandboxPhoneNumber DeleteTopic GetDataProtectionPolicy
        GetEndpointAttributes GetPlatformApplicationAttributes GetSMSAttributes GetSMSSandboxAccountStatus
        GetSubscriptionAttributes GetTopicAttributes ListEndpointsByPlatformApplication ListOriginationNumbers
        ListPhoneNumbersOptedOut ListPlatformApplications ListSMSSandboxPhoneNumbers ListSubscriptions
        ListSubscriptionsByTopic ListTagsForResource ListTopics OptInPhoneNumber Publish
        PutDataProtectionPolicy RemovePermission SetEndpointAttributes SetPlatformApplicationAttributes
        SetSMSAttributes SetSubscriptionAttributes SetTopicAttributes Subscribe TagResource Unsubscribe
        UntagResource VerifySMSSandboxPhoneNumber
        """,
        "sqs": """
        AddPermission CancelMessageMoveTask ChangeMessageVisibility CreateQueue DeleteMessage DeleteQueue
        GetQueueAttributes GetQueueUrl ListDeadLetterSourceQueues ListMessageMoveTasks ListQueueTags
        ListQueues PurgeQueue ReceiveMessage RemovePermission SendMessage SetQueueAttributes
        StartMessageMoveTask TagQueue UntagQueue
        """,
        "sts": """
        AssumeRole AssumeRoleWithSAML AssumeRoleWithWebIdentity AssumeRoot DecodeAuthorizationMessage
        GetAccessKeyInfo GetCallerIdentity GetDelegatedAccessToken GetFederationToken GetServiceBearerToken
        GetSessionToken GetWebIdentityToken SetContext SetSourceIdentity TagGetWebIdentityToken TagSession
        """,
    }.items()
}
_KNOWN = {service: frozenset(map(str.casefold, names)) for service, names in _ACTIONS.items()}


def unknown_action(subject: Subject) -> Iterator[Remark]:
    for name, consumer in subject.pipeline.consumers.items():
        for number, use in enumerate(consumer.uses):
            for action in use.actions:
                service, _, what = action.partition(":")
                if what.casefold() not in _KNOWN.get(service, {what.casefold()}):
                    hint = nearest(what, _ACTIONS[service]).replace("mean '", f"mean '{service}:")
                    yield Remark(
                        name,
                        f"consumers.{name}.uses[{number}].actions",
                        f"has {action}, which IAM does not know, so it allows nothing{hint}",
                    )
