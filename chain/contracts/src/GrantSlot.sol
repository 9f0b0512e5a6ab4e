// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @dev A grant in one word, from the lowest bit: permissions 8, not before 40, expiry 40, serial 64, epoch 32, serial of the
/// affiliation 64. Packed by hand, because the compiler writes a struct's slot once for each of its fields.
type GrantSlot is uint256;

using {permissions, notBefore, expiry, serial, epoch, affiliationSerial, ended} for GrantSlot global;

function packGrant(
    uint8 permissions_,
    uint40 notBefore_,
    uint40 expiry_,
    uint64 serial_,
    uint32 epoch_,
    uint64 affiliationSerial_
) pure returns (GrantSlot) {
    return GrantSlot.wrap(
        uint256(permissions_) | uint256(notBefore_) << 8 | uint256(expiry_) << 48 | uint256(serial_) << 88
            | uint256(epoch_) << 152 | uint256(affiliationSerial_) << 184
    );
}

function permissions(GrantSlot grant) pure returns (uint8) {
    return uint8(GrantSlot.unwrap(grant));
}

function notBefore(GrantSlot grant) pure returns (uint40) {
    return uint40(GrantSlot.unwrap(grant) >> 8);
}

function expiry(GrantSlot grant) pure returns (uint40) {
    return uint40(GrantSlot.unwrap(grant) >> 48);
}

function serial(GrantSlot grant) pure returns (uint64) {
    return uint64(GrantSlot.unwrap(grant) >> 88);
}

function epoch(GrantSlot grant) pure returns (uint32) {
    return uint32(GrantSlot.unwrap(grant) >> 152);
}

function affiliationSerial(GrantSlot grant) pure returns (uint64) {
    return uint64(GrantSlot.unwrap(grant) >> 184);
}

/// @dev The same grant without permissions, under the serial that ended it.
function ended(GrantSlot grant, uint64 serial_) pure returns (GrantSlot) {
    return packGrant(0, grant.notBefore(), grant.expiry(), serial_, grant.epoch(), grant.affiliationSerial());
}
