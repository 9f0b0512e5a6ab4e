// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {NAME_FOLDER, REKEY_FOLDER} from "./ActTypes.sol";
import {Directory} from "./Directory.sol";
import {IMedRec} from "./IMedRec.sol";

/// @title Folders and their epochs; folder 0 is the inbox, always at the start of the patient's generation
abstract contract Folders is Directory {
    struct Folder {
        uint32 epoch;
        uint64 nameSerial;
    }

    mapping(address patient => mapping(uint16 folder => Folder)) private _folders;

    /// @inheritdoc IMedRec
    function nameFolder(NameFolder calldata act, bytes calldata signature) external {
        if (!_isSentBy(act.author, signature)) {
            _checkSigned(act.author, keccak256(abi.encode(NAME_FOLDER, act)), signature);
        }
        if (act.folder == 0) revert BadFolder();
        Folder storage folder = _folders[act.author][act.folder];
        _checkSerial(folder.nameSerial, act.serial);
        folder.nameSerial = act.serial;
        emit FolderNamed(act.author, act.folder, act.name, act.serial);
    }

    /// @inheritdoc IMedRec
    function rekeyFolder(RekeyFolder calldata act, bytes calldata signature) external {
        if (!_isSentBy(act.author, signature)) {
            _checkSigned(act.author, keccak256(abi.encode(REKEY_FOLDER, act)), signature);
        }
        if (act.folder == 0) revert BadFolder();
        _checkEpoch(act.author, act.folder, act.fromEpoch);
        if (act.toEpoch <= act.fromEpoch || act.toEpoch >> 16 != act.fromEpoch >> 16) {
            revert EpochNotCurrent(act.fromEpoch, act.toEpoch);
        }
        _folders[act.author][act.folder].epoch = act.toEpoch;
        emit FolderRekeyed(act.author, act.folder, act.fromEpoch, act.toEpoch, act.envelopes);
    }

    /// @inheritdoc IMedRec
    function folderOf(address patient, uint16 folder) external view returns (uint32 epoch, uint64 nameSerial) {
        return (_epochOf(patient, folder), _folders[patient][folder].nameSerial);
    }

    function _checkEpoch(address patient, uint16 folder, uint32 given) internal view {
        uint32 current = _epochOf(patient, folder);
        if (given != current) revert EpochNotCurrent(current, given);
    }

    function _epochOf(address patient, uint16 folder) private view returns (uint32) {
        uint32 least = _generationOf(patient) << 16;
        if (folder == 0) return least;
        uint32 epoch = _folders[patient][folder].epoch;
        return epoch > least ? epoch : least;
    }
}
