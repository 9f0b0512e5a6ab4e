// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

// The EIP-712 type hash of each act. The build refuses a type that is not its struct in the ABI, field by field.

bytes32 constant ADMIT_INSTITUTION =
    keccak256("AdmitInstitution(address author,address institution,bool admitted,uint64 serial)");
bytes32 constant AFFILIATE_DOCTOR =
    keccak256("AffiliateDoctor(address author,address doctor,bool affiliated,uint64 serial)");
bytes32 constant LEAVE_INSTITUTION = keccak256("LeaveInstitution(address author,address institution,uint64 serial)");
bytes32 constant PUBLISH_KEY = keccak256("PublishKey(address author,uint32 version,bytes key)");
bytes32 constant NAME_RECOVERY = keccak256("NameRecovery(address author,address recovery,uint64 serial)");
bytes32 constant REPLACE_KEYS =
    keccak256("ReplaceKeys(address author,uint32 generation,address signer,bytes key,bytes32 envelopes)");
bytes32 constant NAME_FOLDER = keccak256("NameFolder(address author,uint16 folder,bytes32 name,uint64 serial)");
bytes32 constant NEW_RECORD = keccak256(
    "NewRecord(address author,address patient,address via,uint16 folder,uint32 epoch,uint8 flags,bytes32 nonce,bytes32 content,bytes32 description,bytes secret)"
);
bytes32 constant MODIFY_RECORD = keccak256(
    "ModifyRecord(address author,address patient,address via,bytes32 record,uint16 folder,uint32 epoch,uint32 version,uint8 flags,bytes32 content,bytes32 description,bytes secret)"
);
bytes32 constant CLOSE_RECORD =
    keccak256("CloseRecord(address author,address patient,bytes32 record,bytes32 nonce,uint8 reason)");
bytes32 constant BLOCK_SENDER = keccak256("BlockSender(address author,address sender,bool blocked,uint64 serial)");
bytes32 constant REQUEST_ACCESS =
    keccak256("RequestAccess(address author,address patient,address via,bytes32 nonce,bytes32 envelopes)");
bytes32 constant WITHDRAW_REQUEST =
    keccak256("WithdrawRequest(address author,address patient,bytes32 request,bytes32 nonce)");
bytes32 constant DENY_ACCESS = keccak256("DenyAccess(address author,bytes32 request,bytes32 reason)");
bytes32 constant GRANT_ACCESS = keccak256(
    "GrantAccess(address author,address grantee,address via,bytes32 scope,uint8 permissions,uint40 notBefore,uint40 expiry,uint32 epoch,bytes32 envelopes,bytes32 request,uint64 serial)"
);
bytes32 constant REVOKE_ACCESS =
    keccak256("RevokeAccess(address author,address grantee,address via,bytes32 scope,uint64 serial)");
bytes32 constant GIVE_UP_ACCESS =
    keccak256("GiveUpAccess(address author,address patient,address via,bytes32 scope,uint64 serial)");
bytes32 constant REKEY_FOLDER =
    keccak256("RekeyFolder(address author,uint16 folder,uint32 fromEpoch,uint32 toEpoch,bytes32 envelopes)");
bytes32 constant ANCHOR_LOG = keccak256("AnchorLog(address author,bytes32 log,uint64 size,bytes32 root)");
