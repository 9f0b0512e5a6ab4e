// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title MedRec: who may read and write whose medical records
/// @notice Every act is an EIP-712 message signed by its author's signer in force, given to the function of its name, either
/// by the signer itself (empty signature) or by anybody (with the signature). Every act names the state it replaces, so that a replay does
/// nothing. No direct identifiers are held here: addresses, random ids, digests, wrapped keys and times only.
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
    /// @notice The author, an institution, affiliates a doctor or ends the affiliation, and with it every grant given through it.
    function affiliateDoctor(AffiliateDoctor calldata act, bytes calldata signature) external;
    /// @notice The author, a doctor, leaves an institution. Same serial as affiliateDoctor.
    function leaveInstitution(LeaveInstitution calldata act, bytes calldata signature) external;
    /// @notice Publishes the author's sharing key: suite byte, 1,184 bytes ML-KEM-768, 32 bytes X25519.
    function publishKey(PublishKey calldata act, bytes calldata signature) external;
    /// @notice Names who may replace the author's keys; once named, only that address may name another.
    function nameRecovery(NameRecovery calldata act, bytes calldata signature) external;
    /// @notice Ends the author's old signer: next generation, new signer, new sharing key, every folder's epoch at least (generation, 0).
    function replaceKeys(ReplaceKeys calldata act, bytes calldata signature) external;
    /// @notice Names a folder by the digest of its sealed name.
    function nameFolder(NameFolder calldata act, bytes calldata signature) external;
    /// @notice Registers a record; its id is keccak256(author, nonce), so that nobody can take it first.
    /// @dev `secret` is the 40-byte wrapped data key, or the 32-byte digest of a list of envelopes (always in the inbox).
    function newRecord(NewRecord calldata act, bytes calldata signature) external;
    /// @notice Registers a record's next version. Only the patient changes its folder.
    function modifyRecord(ModifyRecord calldata act, bytes calldata signature) external;
    /// @notice Ends a record: 1 refused, 2 entered in error, 3 withdrawn. Its author may while it is in the inbox (naming its nonce).
    function closeRecord(CloseRecord calldata act, bytes calldata signature) external;
    /// @notice Refuses inbox records from a doctor or through an institution.
    function blockSender(BlockSender calldata act, bytes calldata signature) external;
    /// @notice Asks a patient for access; `envelopes` is the digest of the list of envelopes with the terms.
    function requestAccess(RequestAccess calldata act, bytes calldata signature) external;
    /// @notice Takes a request back.
    function withdrawRequest(WithdrawRequest calldata act, bytes calldata signature) external;
    /// @notice Refuses a request; `reason` is the digest of the list of envelopes with the reason.
    function denyAccess(DenyAccess calldata act, bytes calldata signature) external;
    /// @notice Gives access to a scope. Permissions: 1 read, 3 read and write. `epoch` is the folder's current one, 0 for records and selections.
    function grantAccess(GrantAccess calldata act, bytes calldata signature) external;
    /// @notice Ends a grant at once, and any other that was signed with a lower serial.
    function revokeAccess(RevokeAccess calldata act, bytes calldata signature) external;
    /// @notice The grantee gives a grant back, naming its current serial.
    function giveUpAccess(GiveUpAccess calldata act, bytes calldata signature) external;
    /// @notice Moves a folder to a higher epoch, with the digest of the list of new envelopes; grants keep their serials.
    function rekeyFolder(RekeyFolder calldata act, bytes calldata signature) external;
    /// @notice Anchors the Merkle root of a portal's view log. Its author holds the anchor role.
    function anchorLog(AnchorLog calldata act, bytes calldata signature) external;

    /// @notice Carries out many signed acts; each under a gas cap of its own, and one that is refused does not hold up the rest.
    /// @param calls Whole calldata of act functions, each with a signature.
    /// @return refusals The ABI-encoded error of each act, empty for those done.
    function relay(bytes[] calldata calls) external returns (bytes[] memory refusals);

    // ---------------------------------------------------------------------------------------------------------- views

    /// @notice The identity that keys and envelopes are bound to: chain id and address of the first contract.
    function origin() external view returns (uint256 chainId, address first);
    function signerOf(address account) external view returns (address signer, uint32 generation);
    function recoveryOf(address account) external view returns (address recovery, uint64 serial);
    function keyOf(address account) external view returns (uint32 version, bytes32 digest);
    function institutionOf(address institution) external view returns (bool admitted, uint64 serial);
    function affiliationOf(address institution, address doctor) external view returns (bool affiliated, uint64 serial);
    function folderOf(address patient, uint16 folder) external view returns (uint32 epoch, uint64 nameSerial);
    function recordOf(bytes32 record)
        external
        view
        returns (address patient, uint16 folder, uint32 epoch, uint32 version, uint8 flags, bool closed);
    /// @return patient Whom the request asks.
    /// @return state 0 unknown, 1 open, 2 closed.
    function requestOf(bytes32 request) external view returns (address patient, uint8 state);
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
    function blockedOf(address patient, address sender) external view returns (bool blocked, uint64 serial);
    function logOf(address author, bytes32 log) external view returns (uint64 size);
    /// @notice Whether `who` may read the scope now: a live grant of his own or of the institution he acts through, admission, and the same affiliation.
    function canRead(address patient, address who, address via, bytes32 scope) external view returns (bool);
    /// @notice Whether `who` may write to the scope now.
    function canWrite(address patient, address who, address via, bytes32 scope) external view returns (bool);
}
