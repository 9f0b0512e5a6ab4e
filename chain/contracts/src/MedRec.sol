// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {AccessControlDefaultAdminRules} from "@openzeppelin/contracts/access/extensions/AccessControlDefaultAdminRules.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

import {IMedRec} from "./IMedRec.sol";

/// @title The acts, their rules and their state; what each means is said in IMedRec
contract MedRec is IMedRec, EIP712, AccessControlDefaultAdminRules {
    bytes32 public constant ADMISSION_ROLE = keccak256("ADMISSION_ROLE");
    bytes32 public constant ANCHOR_ROLE = keccak256("ANCHOR_ROLE");

    /// @notice Gas that each act of a relayed batch may use.
    uint256 public constant ACT_GAS = 200_000;

    uint64 private constant SERIAL_STEP = 1024;
    uint8 private constant READ = 1;
    uint8 private constant WRITE = 2;
    uint256 private constant WRAPPED_SECRET = 40;
    uint256 private constant DIGEST = 32;
    uint256 private constant SHARING_KEY = 1217;

    struct Keys {
        address signer; // zero: the account itself
        uint32 generation;
        uint32 version; // of the sharing key
    }

    struct Recovery {
        address account;
        uint64 serial;
    }

    struct Switch {
        bool on;
        uint64 serial;
    }

    struct Folder {
        uint32 epoch;
        uint64 nameSerial;
    }

    struct Record {
        address patient;
        uint16 folder;
        uint32 epoch;
        uint32 version;
        uint8 flags; // bit 0 as in the act, bit 7 closed
    }

    struct Request {
        address patient;
        uint8 state;
    }

    struct Grant {
        uint8 permissions;
        uint40 notBefore;
        uint40 expiry;
        uint64 serial;
        uint32 epoch;
        uint64 affiliationSerial;
    }

    uint8 private constant CLOSED = 0x80;
    uint8 private constant OPEN_REQUEST = 1;
    uint8 private constant CLOSED_REQUEST = 2;

    uint256 private immutable _originChain;
    address private immutable _originContract;

    mapping(address account => Keys) private _keys;
    mapping(address account => bytes32) private _keyDigests;
    mapping(address account => Recovery) private _recoveries;
    mapping(address institution => Switch) private _institutions;
    mapping(address institution => mapping(address doctor => Switch)) private _affiliations;
    mapping(address patient => mapping(uint16 folder => Folder)) private _folders;
    mapping(bytes32 record => Record) private _records;
    mapping(bytes32 request => Request) private _requests;
    mapping(bytes32 key => Grant) private _grants;
    mapping(address patient => mapping(address sender => Switch)) private _blocks;
    mapping(address author => mapping(bytes32 log => uint64)) private _logs;

    /// @param admin Holds the default admin role (a cold key); it passes on with a delay of two days.
    /// @param admission Admits and suspends institutions.
    /// @param anchorer Anchors view logs.
    /// @param originChain Chain id of the first contract, for a successor; 0 when this is the first.
    /// @param originContract Address of the first contract; 0 when this is the first.
    constructor(address admin, address admission, address anchorer, uint256 originChain, address originContract)
        EIP712("MedRec", "1")
        AccessControlDefaultAdminRules(2 days, admin)
    {
        _grantRole(ADMISSION_ROLE, admission);
        _grantRole(ANCHOR_ROLE, anchorer);
        bool first = originContract == address(0);
        _originChain = first ? block.chainid : originChain;
        _originContract = first ? address(this) : originContract;
    }

    // ------------------------------------------------------------------------------------------------ acts: directory

    /// @inheritdoc IMedRec
    function admitInstitution(AdmitInstitution calldata act, bytes calldata signature) external {
        _checkSigned(
            act.author,
            keccak256(
                abi.encode(
                    keccak256("AdmitInstitution(address author,address institution,bool admitted,uint64 serial)"), act
                )
            ),
            signature
        );
        _checkRole(ADMISSION_ROLE, act.author);
        _turn(_institutions[act.institution], act.admitted, act.serial);
        emit InstitutionAdmitted(act.institution, act.author, act.admitted, act.serial);
    }

    /// @inheritdoc IMedRec
    function affiliateDoctor(AffiliateDoctor calldata act, bytes calldata signature) external {
        _checkSigned(
            act.author,
            keccak256(
                abi.encode(keccak256("AffiliateDoctor(address author,address doctor,bool affiliated,uint64 serial)"), act)
            ),
            signature
        );
        if (act.doctor == act.author) revert BadVia();
        _turn(_affiliations[act.author][act.doctor], act.affiliated, act.serial);
        emit DoctorAffiliated(act.author, act.doctor, act.affiliated, act.serial);
    }

    /// @inheritdoc IMedRec
    function leaveInstitution(LeaveInstitution calldata act, bytes calldata signature) external {
        _checkSigned(
            act.author,
            keccak256(abi.encode(keccak256("LeaveInstitution(address author,address institution,uint64 serial)"), act)),
            signature
        );
        _turn(_affiliations[act.institution][act.author], false, act.serial);
        emit InstitutionLeft(act.institution, act.author, act.serial);
    }

    /// @inheritdoc IMedRec
    function publishKey(PublishKey calldata act, bytes calldata signature) external {
        bytes32 digest = keccak256(act.key);
        _checkSigned(
            act.author,
            keccak256(
                abi.encode(
                    keccak256("PublishKey(address author,uint32 version,bytes key)"), act.author, act.version, digest
                )
            ),
            signature
        );
        Keys storage keys = _keys[act.author];
        uint32 last = keys.version;
        if (act.version <= last || act.version - last > SERIAL_STEP) revert VersionNotNext(last, act.version);
        _setKey(act.author, keys, act.version, digest, act.key.length);
        emit KeyPublished(act.author, act.version, act.key);
    }

    /// @inheritdoc IMedRec
    function nameRecovery(NameRecovery calldata act, bytes calldata signature) external {
        Recovery storage recovery = _recoveries[act.author];
        address named = recovery.account;
        _checkSignature(
            named == address(0) ? _signerOf(act.author) : named,
            keccak256(abi.encode(keccak256("NameRecovery(address author,address recovery,uint64 serial)"), act)),
            signature
        );
        if (act.recovery == address(this)) revert BadSigner();
        _checkSerial(recovery.serial, act.serial);
        recovery.account = act.recovery;
        recovery.serial = act.serial;
        emit RecoveryNamed(act.author, act.recovery, act.serial);
    }

    /// @inheritdoc IMedRec
    function replaceKeys(ReplaceKeys calldata act, bytes calldata signature) external {
        bytes32 digest = keccak256(act.key);
        bytes32 structHash = keccak256(
            abi.encode(
                keccak256("ReplaceKeys(address author,uint32 generation,address signer,bytes key,bytes32 envelopes)"),
                act.author,
                act.generation,
                act.signer,
                digest,
                act.envelopes
            )
        );
        address recovery = _recoveries[act.author].account;
        if (recovery == address(0) || !_isSignedBy(recovery, structHash, signature)) {
            _checkSignature(_signerOf(act.author), structHash, signature);
        }
        if (act.signer == address(0) || act.signer == address(this)) revert BadSigner();
        Keys storage keys = _keys[act.author];
        uint32 last = keys.generation;
        if (act.generation != last + 1 || act.generation > type(uint16).max) {
            revert GenerationNotNext(last, act.generation);
        }
        keys.signer = act.signer;
        keys.generation = act.generation;
        uint32 version = keys.version + 1;
        _setKey(act.author, keys, version, digest, act.key.length);
        emit KeysReplaced(act.author, act.signer, act.generation, version, act.key, act.envelopes);
    }

    // -------------------------------------------------------------------------------------------------- acts: records

    /// @inheritdoc IMedRec
    function nameFolder(NameFolder calldata act, bytes calldata signature) external {
        _checkSigned(
            act.author,
            keccak256(
                abi.encode(keccak256("NameFolder(address author,uint16 folder,bytes32 name,uint64 serial)"), act)
            ),
            signature
        );
        if (act.folder == 0) revert BadFolder();
        Folder storage folder = _folders[act.author][act.folder];
        _checkSerial(folder.nameSerial, act.serial);
        folder.nameSerial = act.serial;
        emit FolderNamed(act.author, act.folder, act.name, act.serial);
    }

    /// @inheritdoc IMedRec
    function newRecord(NewRecord calldata act, bytes calldata signature) external {
        _checkSigned(act.author, _hashNewRecord(act), signature);
        _checkBytes(act.folder, act.flags, act.secret.length);
        _checkEpoch(act.patient, act.folder, act.epoch);
        if (act.author == act.patient) {
            if (act.via != address(0)) revert BadVia();
        } else if (act.folder == 0) {
            _checkMember(act.author, act.via);
            if (_blocks[act.patient][act.author].on || _blocks[act.patient][act.via].on) revert SenderIsBlocked();
        } else if (!_has(WRITE, act.patient, act.author, act.via, bytes32(uint256(act.folder)))) {
            revert NoWriteAccess();
        }
        bytes32 id = _idOf(act.author, act.nonce);
        if (_records[id].patient != address(0)) revert RecordExists();
        if (act.patient == address(0)) revert UnknownRecord();
        _records[id] = Record(act.patient, act.folder, act.epoch, 1, act.flags);
        emit RecordAdded(
            act.patient,
            act.author,
            id,
            act.via,
            act.folder,
            act.epoch,
            act.flags,
            act.nonce,
            act.content,
            act.description,
            act.secret
        );
    }

    /// @inheritdoc IMedRec
    function modifyRecord(ModifyRecord calldata act, bytes calldata signature) external {
        _checkSigned(act.author, _hashModifyRecord(act), signature);
        Record memory record = _openRecord(act.record, act.patient);
        _checkBytes(act.folder, act.flags, act.secret.length);
        if (act.version != record.version + 1) revert VersionNotNext(record.version, act.version);
        if (act.author == act.patient) {
            if (act.via != address(0)) revert BadVia();
            if (act.folder == 0 && record.folder != 0) revert BadFolder();
        } else {
            if (act.folder != record.folder) revert OnlyPatient();
            if (
                !_has(WRITE, act.patient, act.author, act.via, bytes32(uint256(act.folder)))
                    && !_has(WRITE, act.patient, act.author, act.via, act.record)
            ) revert NoWriteAccess();
        }
        _checkEpoch(act.patient, act.folder, act.epoch);
        _records[act.record] = Record(act.patient, act.folder, act.epoch, act.version, act.flags);
        emit RecordModified(
            act.patient,
            act.author,
            act.record,
            act.via,
            act.folder,
            act.epoch,
            act.version,
            act.flags,
            act.content,
            act.description,
            act.secret
        );
    }

    /// @inheritdoc IMedRec
    function closeRecord(CloseRecord calldata act, bytes calldata signature) external {
        _checkSigned(
            act.author,
            keccak256(
                abi.encode(
                    keccak256("CloseRecord(address author,address patient,bytes32 record,bytes32 nonce,uint8 reason)"),
                    act
                )
            ),
            signature
        );
        Record memory record = _openRecord(act.record, act.patient);
        if (act.author != act.patient && (record.folder != 0 || _idOf(act.author, act.nonce) != act.record)) {
            revert OnlyPatient();
        }
        if (act.reason == 0 || act.reason > 3) revert BadReason();
        _records[act.record].flags = record.flags | CLOSED;
        emit RecordClosed(act.patient, act.author, act.record, act.nonce, act.reason);
    }

    /// @inheritdoc IMedRec
    function blockSender(BlockSender calldata act, bytes calldata signature) external {
        _checkSigned(
            act.author,
            keccak256(
                abi.encode(keccak256("BlockSender(address author,address sender,bool blocked,uint64 serial)"), act)
            ),
            signature
        );
        _turn(_blocks[act.author][act.sender], act.blocked, act.serial);
        emit SenderBlocked(act.author, act.sender, act.blocked, act.serial);
    }

    // -------------------------------------------------------------------------------------------------- acts: consent

    /// @inheritdoc IMedRec
    function requestAccess(RequestAccess calldata act, bytes calldata signature) external {
        _checkSigned(
            act.author,
            keccak256(
                abi.encode(
                    keccak256(
                        "RequestAccess(address author,address patient,address via,bytes32 nonce,bytes32 envelopes)"
                    ),
                    act
                )
            ),
            signature
        );
        _checkMember(act.author, act.via);
        bytes32 id = _idOf(act.author, act.nonce);
        if (_requests[id].state != 0) revert RequestExists();
        _requests[id] = Request(act.patient, OPEN_REQUEST);
        emit AccessRequested(act.patient, act.author, id, act.via, act.nonce, act.envelopes);
    }

    /// @inheritdoc IMedRec
    function withdrawRequest(WithdrawRequest calldata act, bytes calldata signature) external {
        _checkSigned(
            act.author,
            keccak256(
                abi.encode(
                    keccak256("WithdrawRequest(address author,address patient,bytes32 request,bytes32 nonce)"), act
                )
            ),
            signature
        );
        if (_idOf(act.author, act.nonce) != act.request) revert RequestNotOpen();
        _closeRequest(act.request, act.patient);
        emit RequestWithdrawn(act.patient, act.author, act.request, act.nonce);
    }

    /// @inheritdoc IMedRec
    function denyAccess(DenyAccess calldata act, bytes calldata signature) external {
        _checkSigned(
            act.author,
            keccak256(abi.encode(keccak256("DenyAccess(address author,bytes32 request,bytes32 reason)"), act)),
            signature
        );
        _closeRequest(act.request, act.author);
        emit AccessDenied(act.author, act.request, act.reason);
    }

    /// @inheritdoc IMedRec
    function grantAccess(GrantAccess calldata act, bytes calldata signature) external {
        _checkSigned(
            act.author,
            keccak256(
                abi.encode(
                    keccak256(
                        "GrantAccess(address author,address grantee,address via,bytes32 scope,uint8 permissions,uint40 notBefore,uint40 expiry,uint32 epoch,bytes32 envelopes,bytes32 request,uint64 serial)"
                    ),
                    act
                )
            ),
            signature
        );
        if (act.grantee == address(0) || act.grantee == act.author) revert BadVia();
        if (act.permissions != READ && act.permissions != READ | WRITE) revert BadPermissions();
        if (act.expiry <= act.notBefore) revert BadTimes();
        _checkScope(act);
        if (act.request != 0) {
            Request memory request = _requests[act.request];
            if (request.patient != act.author || request.state != OPEN_REQUEST) revert RequestNotOpen();
        }
        Grant storage grant = _grants[_grantKey(act.author, act.grantee, act.via, act.scope)];
        _checkSerial(grant.serial, act.serial);
        uint64 affiliationSerial = act.via == address(0) ? 0 : _checkMember(act.grantee, act.via);
        grant.permissions = act.permissions;
        grant.notBefore = act.notBefore;
        grant.expiry = act.expiry;
        grant.serial = act.serial;
        grant.epoch = act.epoch;
        grant.affiliationSerial = affiliationSerial;
        emit AccessGranted(
            act.author,
            act.grantee,
            act.scope,
            act.via,
            act.permissions,
            act.notBefore,
            act.expiry,
            act.epoch,
            act.envelopes,
            act.request,
            act.serial
        );
    }

    /// @inheritdoc IMedRec
    function revokeAccess(RevokeAccess calldata act, bytes calldata signature) external {
        _checkSigned(
            act.author,
            keccak256(
                abi.encode(
                    keccak256("RevokeAccess(address author,address grantee,address via,bytes32 scope,uint64 serial)"),
                    act
                )
            ),
            signature
        );
        Grant storage grant = _grants[_grantKey(act.author, act.grantee, act.via, act.scope)];
        _checkSerial(grant.serial, act.serial);
        grant.permissions = 0;
        grant.serial = act.serial;
        emit AccessRevoked(act.author, act.grantee, act.scope, act.via, act.serial);
    }

    /// @inheritdoc IMedRec
    function giveUpAccess(GiveUpAccess calldata act, bytes calldata signature) external {
        _checkSigned(
            act.author,
            keccak256(
                abi.encode(
                    keccak256("GiveUpAccess(address author,address patient,address via,bytes32 scope,uint64 serial)"),
                    act
                )
            ),
            signature
        );
        Grant storage grant = _grants[_grantKey(act.patient, act.author, act.via, act.scope)];
        if (grant.serial != act.serial || grant.permissions == 0) revert GrantNotCurrent(grant.serial, act.serial);
        grant.permissions = 0;
        emit AccessGivenUp(act.patient, act.author, act.scope, act.via, act.serial);
    }

    /// @inheritdoc IMedRec
    function rekeyFolder(RekeyFolder calldata act, bytes calldata signature) external {
        _checkSigned(
            act.author,
            keccak256(
                abi.encode(
                    keccak256(
                        "RekeyFolder(address author,uint16 folder,uint32 fromEpoch,uint32 toEpoch,bytes32 envelopes)"
                    ),
                    act
                )
            ),
            signature
        );
        if (act.folder == 0) revert BadFolder();
        _checkEpoch(act.author, act.folder, act.fromEpoch);
        if (act.toEpoch <= act.fromEpoch || act.toEpoch >> 16 != act.fromEpoch >> 16) {
            revert EpochNotCurrent(act.fromEpoch, act.toEpoch);
        }
        _folders[act.author][act.folder].epoch = act.toEpoch;
        emit FolderRekeyed(act.author, act.folder, act.fromEpoch, act.toEpoch, act.envelopes);
    }

    /// @inheritdoc IMedRec
    function anchorLog(AnchorLog calldata act, bytes calldata signature) external {
        _checkSigned(
            act.author,
            keccak256(abi.encode(keccak256("AnchorLog(address author,bytes32 log,uint64 size,bytes32 root)"), act)),
            signature
        );
        _checkRole(ANCHOR_ROLE, act.author);
        uint64 last = _logs[act.author][act.log];
        if (act.size <= last) revert SizeNotGrowing(last, act.size);
        _logs[act.author][act.log] = act.size;
        emit LogAnchored(act.author, act.log, act.size, act.root);
    }

    // ---------------------------------------------------------------------------------------------------------- relay

    /// @inheritdoc IMedRec
    function relay(bytes[] calldata calls) external returns (bytes[] memory refusals) {
        if (msg.sender == address(this)) revert NestedRelay();
        refusals = new bytes[](calls.length);
        for (uint256 i = 0; i < calls.length; ++i) {
            // A call forwards at most 63/64 of what is left: less than the cap would let a relay starve an act on purpose.
            if (gasleft() < ACT_GAS + ACT_GAS / 63 + 10_000) revert NotEnoughGas();
            (bool done, bytes memory reason) = address(this).call{gas: ACT_GAS}(calls[i]);
            if (!done) {
                refusals[i] = reason.length == 0 ? abi.encodePacked(NotEnoughGas.selector) : reason;
                emit ActRefused(i, refusals[i]);
            }
        }
    }

    // ---------------------------------------------------------------------------------------------------------- views

    /// @inheritdoc IMedRec
    function origin() external view returns (uint256 chainId, address first) {
        return (_originChain, _originContract);
    }

    /// @inheritdoc IMedRec
    function signerOf(address account) external view returns (address signer, uint32 generation) {
        return (_signerOf(account), _keys[account].generation);
    }

    /// @inheritdoc IMedRec
    function recoveryOf(address account) external view returns (address recovery, uint64 serial) {
        return (_recoveries[account].account, _recoveries[account].serial);
    }

    /// @inheritdoc IMedRec
    function keyOf(address account) external view returns (uint32 version, bytes32 digest) {
        return (_keys[account].version, _keyDigests[account]);
    }

    /// @inheritdoc IMedRec
    function institutionOf(address institution) external view returns (bool admitted, uint64 serial) {
        return (_institutions[institution].on, _institutions[institution].serial);
    }

    /// @inheritdoc IMedRec
    function affiliationOf(address institution, address doctor) external view returns (bool affiliated, uint64 serial) {
        Switch memory affiliation = _affiliations[institution][doctor];
        return (affiliation.on, affiliation.serial);
    }

    /// @inheritdoc IMedRec
    function folderOf(address patient, uint16 folder) external view returns (uint32 epoch, uint64 nameSerial) {
        return (_epochOf(patient, folder), _folders[patient][folder].nameSerial);
    }

    /// @inheritdoc IMedRec
    function recordOf(bytes32 record)
        external
        view
        returns (address patient, uint16 folder, uint32 epoch, uint32 version, uint8 flags, bool closed)
    {
        Record memory found = _records[record];
        return (
            found.patient,
            found.folder,
            found.epoch,
            found.version,
            found.flags & ~CLOSED,
            found.flags & CLOSED != 0
        );
    }

    /// @inheritdoc IMedRec
    function requestOf(bytes32 request) external view returns (address patient, uint8 state) {
        return (_requests[request].patient, _requests[request].state);
    }

    /// @inheritdoc IMedRec
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
        )
    {
        Grant memory grant = _grants[_grantKey(patient, grantee, via, scope)];
        return (
            grant.permissions, grant.notBefore, grant.expiry, grant.serial, grant.epoch, grant.affiliationSerial
        );
    }

    /// @inheritdoc IMedRec
    function blockOf(address patient, address sender) external view returns (bool blocked, uint64 serial) {
        return (_blocks[patient][sender].on, _blocks[patient][sender].serial);
    }

    /// @inheritdoc IMedRec
    function logOf(address author, bytes32 log) external view returns (uint64 size) {
        return _logs[author][log];
    }

    /// @inheritdoc IMedRec
    function canRead(address patient, address who, address via, bytes32 scope) external view returns (bool) {
        return _has(READ, patient, who, via, scope);
    }

    /// @inheritdoc IMedRec
    function canWrite(address patient, address who, address via, bytes32 scope) external view returns (bool) {
        return _has(WRITE, patient, who, via, scope);
    }

    // ------------------------------------------------------------------------------------------------------ signatures

    function _signerOf(address account) private view returns (address) {
        address signer = _keys[account].signer;
        return signer == address(0) ? account : signer;
    }

    function _checkSigned(address author, bytes32 structHash, bytes calldata signature) private view {
        _checkSignature(_signerOf(author), structHash, signature);
    }

    function _checkSignature(address signer, bytes32 structHash, bytes calldata signature) private view {
        if (!_isSignedBy(signer, structHash, signature)) revert NotSigner(signer);
    }

    /// @dev ECDSA first, whether or not the signer has code: an EIP-7702 delegation must not lock a patient out.
    function _isSignedBy(address signer, bytes32 structHash, bytes calldata signature) private view returns (bool) {
        if (signature.length == 0) return msg.sender == signer && msg.sender != address(this);
        bytes32 digest = _hashTypedDataV4(structHash);
        (address recovered, ECDSA.RecoverError failure,) = ECDSA.tryRecoverCalldata(digest, signature);
        if (failure == ECDSA.RecoverError.NoError && recovered == signer) return true;
        return signer.code.length > 0 && SignatureChecker.isValidERC1271SignatureNow(signer, digest, signature);
    }

    function _hashNewRecord(NewRecord calldata act) private pure returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256(
                    "NewRecord(address author,address patient,address via,uint16 folder,uint32 epoch,uint8 flags,bytes32 nonce,bytes32 content,bytes32 description,bytes secret)"
                ),
                act.author,
                act.patient,
                act.via,
                act.folder,
                act.epoch,
                act.flags,
                act.nonce,
                act.content,
                act.description,
                keccak256(act.secret)
            )
        );
    }

    function _hashModifyRecord(ModifyRecord calldata act) private pure returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256(
                    "ModifyRecord(address author,address patient,address via,bytes32 record,uint16 folder,uint32 epoch,uint32 version,uint8 flags,bytes32 content,bytes32 description,bytes secret)"
                ),
                act.author,
                act.patient,
                act.via,
                act.record,
                act.folder,
                act.epoch,
                act.version,
                act.flags,
                act.content,
                act.description,
                keccak256(act.secret)
            )
        );
    }

    // ----------------------------------------------------------------------------------------------------------- rules

    function _checkSerial(uint64 last, uint64 given) private pure {
        if (given <= last || given - last > SERIAL_STEP) revert SerialNotNext(last, given);
    }

    function _turn(Switch storage state, bool on, uint64 serial) private {
        _checkSerial(state.serial, serial);
        state.on = on;
        state.serial = serial;
    }

    function _setKey(address account, Keys storage keys, uint32 version, bytes32 digest, uint256 length) private {
        if (length != SHARING_KEY) revert BadKey();
        keys.version = version;
        _keyDigests[account] = digest;
    }

    function _idOf(address author, bytes32 nonce) private pure returns (bytes32) {
        return keccak256(abi.encodePacked(author, nonce));
    }

    function _grantKey(address patient, address grantee, address via, bytes32 scope) private pure returns (bytes32) {
        return keccak256(abi.encode(patient, grantee, via, scope));
    }

    function _epochOf(address patient, uint16 folder) private view returns (uint32) {
        uint32 least = _keys[patient].generation << 16;
        if (folder == 0) return least;
        uint32 epoch = _folders[patient][folder].epoch;
        return epoch > least ? epoch : least;
    }

    function _checkEpoch(address patient, uint16 folder, uint32 given) private view {
        uint32 current = _epochOf(patient, folder);
        if (given != current) revert EpochNotCurrent(current, given);
    }

    function _checkBytes(uint16 folder, uint8 flags, uint256 secret) private pure {
        if (flags > 1) revert BadFlags();
        if (secret != DIGEST && (secret != WRAPPED_SECRET || folder == 0)) revert BadSecret();
    }

    function _checkScope(GrantAccess calldata act) private view {
        if (act.scope == 0) revert BadScope();
        if (uint256(act.scope) <= type(uint16).max) {
            _checkEpoch(act.author, uint16(uint256(act.scope)), act.epoch);
            return;
        }
        if (act.epoch != 0) revert EpochNotCurrent(0, act.epoch);
        Record memory record = _records[act.scope];
        if (record.patient == address(0)) {
            // A selection: it is a list of what exists, so nothing can be written to it.
            if (act.permissions != READ) revert BadPermissions();
        } else if (record.patient != act.author || record.folder == 0) {
            revert BadScope();
        }
    }

    function _openRecord(bytes32 id, address patient) private view returns (Record memory record) {
        record = _records[id];
        if (record.patient == address(0) || record.patient != patient) revert UnknownRecord();
        if (record.flags & CLOSED != 0) revert RecordIsClosed();
    }

    function _closeRequest(bytes32 id, address patient) private {
        Request storage request = _requests[id];
        if (request.patient != patient || request.state != OPEN_REQUEST) revert RequestNotOpen();
        request.state = CLOSED_REQUEST;
    }

    /// @dev Refuses unless `who` is the admitted institution itself or a doctor affiliated with it; gives the affiliation's serial.
    function _checkMember(address who, address via) private view returns (uint64) {
        if (!_institutions[via].on) revert NotAdmitted(via);
        if (who == via) return 0;
        Switch memory affiliation = _affiliations[via][who];
        if (!affiliation.on) revert NotAffiliated(via, who);
        return affiliation.serial;
    }

    function _has(uint8 permission, address patient, address who, address via, bytes32 scope)
        private
        view
        returns (bool)
    {
        if (via == address(0)) return _isLive(_grants[_grantKey(patient, who, via, scope)], permission, 0);
        if (!_institutions[via].on) return false;
        if (who == via) return _isLive(_grants[_grantKey(patient, via, via, scope)], permission, 0);
        Switch memory affiliation = _affiliations[via][who];
        if (!affiliation.on) return false;
        return _isLive(_grants[_grantKey(patient, who, via, scope)], permission, affiliation.serial)
            || _isLive(_grants[_grantKey(patient, via, via, scope)], permission, 0);
    }

    function _isLive(Grant memory grant, uint8 permission, uint64 affiliationSerial) private view returns (bool) {
        return grant.permissions & permission != 0 && grant.affiliationSerial == affiliationSerial
            && grant.notBefore <= block.timestamp && block.timestamp < grant.expiry;
    }
}
