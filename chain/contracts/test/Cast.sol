// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Clinic} from "./Clinic.sol";

/// @notice Two patients, two doctors, two institutions and a stranger, and dice to choose among them and what they speak of.
abstract contract Cast is Clinic {
    bytes32 internal constant SELECTION = keccak256("selection");
    uint256 internal constant RECENT = 4; // records and requests that are spoken of
    bytes32 internal constant LOG = keccak256("log");

    address internal immutable neighbour = vm.addr(0xB0B);
    address internal immutable locum = vm.addr(0x10C);
    address internal immutable practice = vm.addr(0x9AC);

    uint256 private _random;
    mapping(address account => uint256) internal _keys; // of the signer in force
    address[7] internal _everybody;
    bytes32[] internal _records;
    bytes32[] internal _requests;
    mapping(bytes32 request => address) internal _askers;
    mapping(bytes32 request => bytes32) internal _nonces;

    function _fill() internal {
        _everybody = [patient, neighbour, doctor, locum, hospital, practice, stranger];
        uint256[7] memory keys =
            [PATIENT_KEY, uint256(0xB0B), DOCTOR_KEY, uint256(0x10C), HOSPITAL_KEY, uint256(0x9AC), STRANGER_KEY];
        for (uint256 i = 0; i < keys.length; ++i) {
            _keys[_everybody[i]] = keys[i];
        }
        (_keys[admission], _keys[anchorer]) = (ADMISSION_KEY, ANCHOR_KEY);
    }

    // ------------------------------------------------------------------------------------------------------- dice

    function _seed(uint256 seed) internal {
        _random = seed;
    }

    /// @dev A number below `sides`.
    function _roll(uint256 sides) internal returns (uint256) {
        _random = uint256(keccak256(abi.encode(_random)));
        return _random % sides;
    }

    function _oneIn(uint256 sides) internal returns (bool) {
        return _roll(sides) == 0;
    }

    /// @dev Mostly the next number; sometimes the last again, the furthest allowed, or one too far.
    function _after(uint64 last) internal returns (uint64) {
        uint256 side = _roll(10);
        if (side < 7) return last + 1;
        return side == 7 ? last : last + 1017 + uint64(side);
    }

    function _somePatient() internal returns (address) {
        return _oneIn(3) ? neighbour : patient;
    }

    function _someDoctor() internal returns (address) {
        return _oneIn(3) ? locum : doctor;
    }

    function _someInstitution() internal returns (address) {
        return _oneIn(3) ? practice : hospital;
    }

    /// @dev To whom access is given, and through whom.
    function _someGrantee() internal returns (address grantee, address via) {
        uint256 side = _roll(6);
        if (side == 0) return (stranger, address(0));
        via = _someInstitution();
        return (side < 3 ? via : _someDoctor(), via);
    }

    function _someScope() internal returns (bytes32) {
        uint256 side = _roll(8);
        if (side == 0) return SELECTION;
        if (side < 3 && _records.length != 0) return _someRecord();
        return bytes32(uint256(side < 7 ? 1 : 2));
    }

    /// @dev Two folders, a selection, and the records that acts speak of now.
    function _scopes() internal view returns (bytes32[] memory found) {
        uint256 total = _records.length;
        uint256 recent = total < RECENT ? total : RECENT;
        found = new bytes32[](3 + recent);
        (found[0], found[1], found[2]) = (bytes32(uint256(1)), bytes32(uint256(2)), SELECTION);
        for (uint256 i = 0; i < recent; ++i) {
            found[3 + i] = _records[total - 1 - i];
        }
    }

    function _recent(bytes32[] storage ids) internal returns (bytes32) {
        uint256 total = ids.length;
        return total == 0 ? bytes32(0) : ids[total - 1 - _roll(total < RECENT ? total : RECENT)];
    }

    function _someRecord() internal returns (bytes32) {
        return _recent(_records);
    }

    function _known(address owner) internal view returns (address) {
        return owner == address(0) ? patient : owner;
    }

    function _epochOf(address owner, uint16 folder) internal returns (uint32 epoch) {
        (epoch,) = medrec.folderOf(owner, folder);
        if (_oneIn(12)) ++epoch;
    }
}
