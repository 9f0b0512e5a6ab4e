// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {BLOCK_SENDER, CLOSE_RECORD, MODIFY_RECORD, NEW_RECORD} from "./ActTypes.sol";
import {Consent} from "./Consent.sol";
import {IMedRec} from "./IMedRec.sol";

/// @title Records: who wrote what for whom; the digests find the files, the secret opens them
abstract contract Records is Consent {
    uint256 private constant WRAPPED_SECRET_BYTES = 40;
    uint256 private constant DIGEST_BYTES = 32;
    uint8 private constant CLOSED = 0x80;
    uint8 private constant LAST_REASON = 3;

    struct Record {
        address patient;
        uint16 folder;
        uint32 epoch;
        uint32 version;
        uint8 flags; // bit 0 as in the act, bit 7 closed
    }

    mapping(bytes32 record => Record) private _records;
    mapping(address patient => mapping(address sender => Switch)) private _blocks;

    /// @inheritdoc IMedRec
    function newRecord(NewRecord calldata given, bytes calldata signature) external {
        NewRecord memory act = given; // out of the calldata, where every reading of a member checks it again
        if (!_isSentBy(act.author, signature)) {
            _checkSigned(act.author, _hashNewRecord(act), signature);
        }
        _checkBytes(act.folder, act.flags, act.secret.length);
        _checkEpoch(act.patient, act.folder, act.epoch);
        if (act.author == act.patient) {
            if (act.via != address(0)) revert BadVia();
        } else if (act.folder == 0) {
            _checkSender(act);
        } else if (!_has(WRITE, act.patient, act.author, act.via, bytes32(uint256(act.folder)))) {
            revert NoWriteAccess();
        }
        bytes32 id = _idOf(act.author, act.nonce);
        // Below 2^16 a scope is a folder.
        if (_records[id].patient != address(0) || uint256(id) <= type(uint16).max) revert RecordExists();
        _records[id] = Record(act.patient, act.folder, act.epoch, 1, act.flags);
        _emitAdded(act, id);
    }

    /// @inheritdoc IMedRec
    function modifyRecord(ModifyRecord calldata act, bytes calldata signature) external {
        if (!_isSentBy(act.author, signature)) {
            _checkSigned(act.author, _hashModifyRecord(act), signature);
        }
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
        _emitModified(act);
    }

    /// @inheritdoc IMedRec
    function closeRecord(CloseRecord calldata act, bytes calldata signature) external {
        if (!_isSentBy(act.author, signature)) {
            _checkSigned(act.author, keccak256(abi.encode(CLOSE_RECORD, act)), signature);
        }
        Record memory record = _openRecord(act.record, act.patient);
        bool allowed = act.author == act.patient
            ? act.nonce == 0
            : record.folder == 0 && _idOf(act.author, act.nonce) == act.record;
        if (!allowed) revert OnlyPatient();
        if (act.reason == 0 || act.reason > LAST_REASON) revert BadReason();
        _records[act.record].flags = record.flags | CLOSED;
        emit RecordClosed(act.patient, act.author, act.record, act.nonce, act.reason);
    }

    /// @inheritdoc IMedRec
    function blockSender(BlockSender calldata act, bytes calldata signature) external {
        if (!_isSentBy(act.author, signature)) {
            _checkSigned(act.author, keccak256(abi.encode(BLOCK_SENDER, act)), signature);
        }
        _turn(_blocks[act.author][act.sender], act.blocked, act.serial);
        _noteBlock(act.author);
        emit SenderBlocked(act.author, act.sender, act.blocked, act.serial);
    }

    /// @inheritdoc IMedRec
    function recordOf(bytes32 record)
        external
        view
        returns (address patient, uint16 folder, uint32 epoch, uint32 version, uint8 flags, bool closed)
    {
        Record memory found = _records[record];
        closed = found.flags & CLOSED != 0;
        return (found.patient, found.folder, found.epoch, found.version, found.flags & ~CLOSED, closed);
    }

    /// @inheritdoc IMedRec
    function blockedOf(address patient, address sender) external view returns (bool blocked, uint64 serial) {
        return (_blocks[patient][sender].on, _blocks[patient][sender].serial);
    }

    /// @inheritdoc Consent
    function _placeOf(bytes32 record) internal view override returns (address patient, uint16 folder) {
        Record memory found = _records[record];
        return (found.patient, found.folder);
    }

    function _checkSender(NewRecord memory act) private view {
        if (act.patient == address(0)) revert BadPatient();
        _checkMember(act.author, act.via);
        if (!_hasBlocks(act.patient)) return;
        if (_blocks[act.patient][act.author].on || _blocks[act.patient][act.via].on) revert SenderIsBlocked();
    }

    function _checkBytes(uint16 folder, uint8 flags, uint256 secret) private pure {
        if (flags > 1) revert BadFlags();
        if (secret != DIGEST_BYTES && (secret != WRAPPED_SECRET_BYTES || folder == 0)) revert BadSecret();
    }

    function _openRecord(bytes32 id, address patient) private view returns (Record memory record) {
        record = _records[id];
        if (record.patient == address(0) || record.patient != patient) revert UnknownRecord();
        if (record.flags & CLOSED != 0) revert RecordIsClosed();
    }

    function _hashNewRecord(NewRecord memory act) private pure returns (bytes32) {
        return keccak256(
            abi.encode(
                NEW_RECORD,
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
                MODIFY_RECORD,
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

    function _emitAdded(NewRecord memory act, bytes32 id) private {
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

    function _emitModified(ModifyRecord calldata act) private {
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
}
