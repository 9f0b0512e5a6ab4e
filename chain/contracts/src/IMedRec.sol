// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title MedRec: who may read and write whose medical records
/// @notice Every act is an EIP-712 message of its author, given to the function of its name either by the author's signer
/// in force (empty signature) or by anybody with that signer's signature. Every act names the state it replaces, so that a
/// replay does nothing. Held here are addresses, random ids, digests, wrapped keys and times: no direct identifiers.
/// @dev Times are unix seconds. Epochs are 32 bits, generation << 16 | epoch. A `via` is the institution through which a doctor
/// acts, the zero address for a person. A scope is a folder's number (below 2^16), a record's id or a selection's id.
/// Serials grow, by at most 1,024 at a time: the latest intent wins whatever was lost or refused before it.
interface IMedRec {
    // ------------------------------------------------------------------------------------------------ acts: directory

    struct AdmitInstitution {
        address author;
        address institution;
        bool admitted;
        uint64 serial;
    }

    struct AffiliateDoctor {
        address author;
        address doctor;
        bool affiliated;
        uint64 serial;
    }

    struct LeaveInstitution {
        address author;
        address institution;
        uint64 serial;
    }

    struct PublishKey {
        address author;
        uint32 version;
        bytes key;
    }

    struct NameRecovery {
        address author;
        address recovery;
        uint64 serial;
    }

    struct ReplaceKeys {
        address author;
        uint32 generation;
        address signer;
        bytes key;
        bytes32 envelopes;
    }

    // -------------------------------------------------------------------------------------------------- acts: records

    struct NameFolder {
        address author;
        uint16 folder;
        bytes32 name;
        uint64 serial;
    }

    struct NewRecord {
        address author;
        address patient;
        address via;
        uint16 folder;
        uint32 epoch;
        uint8 flags;
        bytes32 nonce;
        bytes32 content;
        bytes32 description;
        bytes secret;
    }

    struct ModifyRecord {
        address author;
        address patient;
        address via;
        bytes32 record;
        uint16 folder;
        uint32 epoch;
        uint32 version;
        uint8 flags;
        bytes32 content;
        bytes32 description;
        bytes secret;
    }

    struct CloseRecord {
        address author;
        address patient;
        bytes32 record;
        bytes32 nonce;
        uint8 reason;
    }

    struct BlockSender {
        address author;
        address sender;
        bool blocked;
        uint64 serial;
    }

    // -------------------------------------------------------------------------------------------------- acts: consent

    struct RequestAccess {
        address author;
        address patient;
        address via;
        bytes32 nonce;
        bytes32 envelopes;
    }

    struct WithdrawRequest {
        address author;
        address patient;
        bytes32 request;
        bytes32 nonce;
    }

    struct DenyAccess {
        address author;
        bytes32 request;
        bytes32 reason;
    }

    struct GrantAccess {
        address author;
        address grantee;
        address via;
        bytes32 scope;
        uint8 permissions;
        uint40 notBefore;
        uint40 expiry;
        uint32 epoch;
        bytes32 envelopes;
        bytes32 request;
        uint64 serial;
    }

    struct RevokeAccess {
        address author;
        address grantee;
        address via;
        bytes32 scope;
        uint64 serial;
    }

    struct GiveUpAccess {
        address author;
        address patient;
        address via;
        bytes32 scope;
        uint64 serial;
    }

    struct RekeyFolder {
        address author;
        uint16 folder;
        uint32 fromEpoch;
        uint32 toEpoch;
        bytes32 envelopes;
    }

    struct AnchorLog {
        address author;
        bytes32 log;
        uint64 size;
        bytes32 root;
    }

    // --------------------------------------------------------------------------------------------------------- events

    event InstitutionAdmitted(address indexed institution, address indexed author, bool admitted, uint64 serial);
    event DoctorAffiliated(address indexed author, address indexed doctor, bool affiliated, uint64 serial);
    event InstitutionLeft(address indexed institution, address indexed author, uint64 serial);
    event KeyPublished(address indexed author, uint32 version, bytes key);
    event RecoveryNamed(address indexed author, address indexed recovery, uint64 serial);
    event KeysReplaced(
        address indexed author, address indexed signer, uint32 generation, uint32 version, bytes key, bytes32 envelopes
    );
    event FolderNamed(address indexed author, uint16 indexed folder, bytes32 name, uint64 serial);
    event RecordAdded(
        address indexed patient,
        address indexed author,
        bytes32 indexed record,
        address via,
        uint16 folder,
        uint32 epoch,
        uint8 flags,
        bytes32 nonce,
        bytes32 content,
        bytes32 description,
        bytes secret
    );
    event RecordModified(
        address indexed patient,
        address indexed author,
        bytes32 indexed record,
        address via,
        uint16 folder,
        uint32 epoch,
        uint32 version,
        uint8 flags,
        bytes32 content,
        bytes32 description,
        bytes secret
    );
    event RecordClosed(
        address indexed patient, address indexed author, bytes32 indexed record, bytes32 nonce, uint8 reason
    );
    event SenderBlocked(address indexed author, address indexed sender, bool blocked, uint64 serial);
    event AccessRequested(
        address indexed patient,
        address indexed author,
        bytes32 indexed request,
        address via,
        bytes32 nonce,
        bytes32 envelopes
    );
    event RequestWithdrawn(address indexed patient, address indexed author, bytes32 indexed request, bytes32 nonce);
    event AccessDenied(address indexed author, bytes32 indexed request, bytes32 reason);
    event AccessGranted(
        address indexed author,
        address indexed grantee,
        bytes32 indexed scope,
        address via,
        uint8 permissions,
        uint40 notBefore,
        uint40 expiry,
        uint32 epoch,
        bytes32 envelopes,
        bytes32 request,
        uint64 serial
    );
    event AccessRevoked(
        address indexed author, address indexed grantee, bytes32 indexed scope, address via, uint64 serial
    );
    event AccessGivenUp(
        address indexed patient, address indexed author, bytes32 indexed scope, address via, uint64 serial
    );
    event FolderRekeyed(
        address indexed author, uint16 indexed folder, uint32 fromEpoch, uint32 toEpoch, bytes32 envelopes
    );
    event LogAnchored(address indexed author, bytes32 indexed log, uint64 size, bytes32 root);

    /// @notice Act `index` of a relayed batch was refused; `reason` is its ABI-encoded error.
    event ActRefused(uint256 indexed index, bytes reason);

    // --------------------------------------------------------------------------------------------------------- errors

    error NotSigner(address signer);
    error SerialNotNext(uint64 last, uint64 given);
    error VersionNotNext(uint32 last, uint32 given);
    error GenerationNotNext(uint32 last, uint32 given);
    error EpochNotCurrent(uint32 current, uint32 given);
    error SizeNotGrowing(uint64 last, uint64 given);
    error BadKey();
    error BadSigner();
    error BadScope();
    error BadPermissions();
    error BadTimes();
    error BadFlags();
    error BadSecret();
    error BadFolder();
    error BadReason();
    error BadVia();
    error BadPatient();
    error BadGrantee();
    error NotAdmitted(address institution);
    error NotAffiliated(address institution, address doctor);
    error NoWriteAccess();
    error SenderIsBlocked();
    error RecordExists();
    error UnknownRecord();
    error RecordIsClosed();
    error OnlyPatient();
    error RequestExists();
    error RequestNotOpen();
    error GrantNotCurrent(uint64 current, uint64 given);
    /// @notice The gas cap of an act could not be forwarded: the whole batch is undone.
    error NotEnoughGas();
    /// @notice A relayed call that is no act.
    error NotAnAct();
    /// @notice A relayed act that gave no reason: malformed, or over its gas cap.
    error ActFailed();

    // ---------------------------------------------------------------------------------------------------- act functions

    /// @notice Admits or suspends an institution. Its author holds the admission role.
    function admitInstitution(AdmitInstitution calldata act, bytes calldata signature) external;
    /// @notice The author, an institution, affiliates a doctor or ends the affiliation, and every grant given through it.
    function affiliateDoctor(AffiliateDoctor calldata act, bytes calldata signature) external;
    /// @notice The author, a doctor, leaves an institution. Same serial as affiliateDoctor.
    function leaveInstitution(LeaveInstitution calldata act, bytes calldata signature) external;
    /// @notice Publishes the author's sharing key: suite byte, 1,184 bytes ML-KEM-768, 32 bytes X25519.
    function publishKey(PublishKey calldata act, bytes calldata signature) external;
    /// @notice Names who may replace the author's keys; once named, only that address may name another.
    function nameRecovery(NameRecovery calldata act, bytes calldata signature) external;
    /// @notice Ends the author's old signer: the next generation has a new signer and a new sharing key, of the version after
    /// the last, and no folder's epoch is less than (generation, 0). By the signer in force or the recovery address.
    function replaceKeys(ReplaceKeys calldata act, bytes calldata signature) external;
    /// @notice Names a folder by the digest of its sealed name.
    function nameFolder(NameFolder calldata act, bytes calldata signature) external;
    /// @notice Registers a record; its id is keccak256(author, nonce), so that nobody can take it first.
    /// @dev `secret` is the data key wrapped in 40 bytes, or the 32-byte digest of a list of envelopes (always so in the
    /// inbox). Bit 0 of `flags` says that the content is dag-pb and not one raw block; the others are 0. In the inbox, folder
    /// 0, any affiliated doctor or admitted institution may write; elsewhere a grant to write is needed.
    function newRecord(NewRecord calldata act, bytes calldata signature) external;
    /// @notice Registers a record's next version (the first is 1). Only the patient changes its folder, never to the inbox.
    function modifyRecord(ModifyRecord calldata act, bytes calldata signature) external;
    /// @notice Ends a record: 1 refused, 2 entered in error, 3 withdrawn. By the patient, with a nonce of 0, or by its author
    /// while it is in the inbox, with the nonce it was made with.
    function closeRecord(CloseRecord calldata act, bytes calldata signature) external;
    /// @notice Refuses inbox records from a doctor or through an institution.
    function blockSender(BlockSender calldata act, bytes calldata signature) external;
    /// @notice Asks a patient for access; its id is keccak256(author, nonce). `envelopes` is the digest of the list of envelopes
    /// with the terms. By an affiliated doctor, or an institution for itself (author and via are one).
    function requestAccess(RequestAccess calldata act, bytes calldata signature) external;
    /// @notice Takes a request back.
    function withdrawRequest(WithdrawRequest calldata act, bytes calldata signature) external;
    /// @notice Refuses a request; `reason` is the digest of the list of envelopes with the reason.
    function denyAccess(DenyAccess calldata act, bytes calldata signature) external;
    /// @notice Gives access to a scope from `notBefore` until before `expiry`. Permissions: 1 read, 3 read and write.
    /// @dev `epoch` is the folder's current one, 0 for a record or a selection. A scope that is no record yet is a selection: to
    /// be read only. `request` is the one that is answered, or 0; it is not looked up, and several grants may answer one.
    function grantAccess(GrantAccess calldata act, bytes calldata signature) external;
    /// @notice Ends a grant at once, and any other that was signed with a lower serial.
    function revokeAccess(RevokeAccess calldata act, bytes calldata signature) external;
    /// @notice The grantee gives a grant back, naming its current serial.
    function giveUpAccess(GiveUpAccess calldata act, bytes calldata signature) external;
    /// @notice Moves a folder to a higher epoch of its generation; `envelopes` is the digest of the list of new envelopes for
    /// all whose grants go on, under the serials they have.
    function rekeyFolder(RekeyFolder calldata act, bytes calldata signature) external;
    /// @notice Anchors the Merkle root of a portal's view log, which has grown to `size` entries. Its author holds the anchor
    /// role.
    function anchorLog(AnchorLog calldata act, bytes calldata signature) external;

    /// @notice Carries out many signed acts, each under a gas cap of its own; one that is refused does not hold up the rest.
    /// Reverts as a whole when the cap cannot be forwarded.
    /// @param calls Whole calldata of act functions, each with a signature.
    /// @return refusals The ABI-encoded error of each act, empty for those done: a call without a transaction tries a batch.
    function relay(bytes[] calldata calls) external returns (bytes[] memory refusals);

    // ---------------------------------------------------------------------------------------------------------- views

    /// @notice The identity that keys and envelopes are bound to: chain id and address of the first contract.
    function origin() external view returns (uint256 chainId, address first);
    /// @notice Who signs for an account (itself, until its keys are replaced) and how often its keys were replaced.
    function signerOf(address account) external view returns (address signer, uint32 generation);
    /// @notice Who may replace an account's keys beside its signer (zero: nobody), and the serial that named it.
    function recoveryOf(address account) external view returns (address recovery, uint64 serial);
    /// @notice Version and keccak256 of an account's sharing key, both zero before the first.
    function keyOf(address account) external view returns (uint32 version, bytes32 digest);
    /// @notice Whether an institution is admitted, and the serial that said so.
    function institutionOf(address institution) external view returns (bool admitted, uint64 serial);
    /// @notice Whether a doctor is affiliated with an institution, and the serial that said so.
    function affiliationOf(address institution, address doctor) external view returns (bool affiliated, uint64 serial);
    /// @notice A folder's current epoch (generation << 16 | epoch) and the serial of its name.
    function folderOf(address patient, uint16 folder) external view returns (uint32 epoch, uint64 nameSerial);
    /// @notice A record's last version: whose it is (zero: unknown), where, in which epoch its secret is wrapped.
    function recordOf(bytes32 record)
        external
        view
        returns (address patient, uint16 folder, uint32 epoch, uint32 version, uint8 flags, bool closed);
    /// @notice Whom a request asks; its state is 0 unknown, 1 open, 2 closed.
    function requestOf(bytes32 request) external view returns (address patient, uint8 state);
    /// @notice A grant as it was last given, times in unix seconds; permissions are 0 once it was revoked or given up.
    function grantOf(address patient, address grantee, address via, bytes32 scope)
        external
        view
        returns (
            uint8 permissions,
            uint40 notBefore,
            uint40 expiry,
            uint64 serial,
            uint32 epoch,
            uint64 affiliationSerial
        );
    /// @notice Whether a patient's inbox refuses a doctor or an institution, and the serial that said so.
    function blockedOf(address patient, address sender) external view returns (bool blocked, uint64 serial);
    /// @notice How many entries an anchored log has, zero before its first anchor.
    function logOf(address author, bytes32 log) external view returns (uint64 size);
    /// @notice Whether `who` may read exactly this scope now: by a live grant to him or to the institution he acts through,
    /// which is admitted, and with which he is affiliated as he was when it was given.
    function canRead(address patient, address who, address via, bytes32 scope) external view returns (bool);
    /// @notice Whether `who` may write to exactly this scope now.
    function canWrite(address patient, address who, address via, bytes32 scope) external view returns (bool);
}
