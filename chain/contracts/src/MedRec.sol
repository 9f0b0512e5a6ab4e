// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {
    AccessControlDefaultAdminRules
} from "@openzeppelin/contracts/access/extensions/AccessControlDefaultAdminRules.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {ANCHOR_LOG} from "./ActTypes.sol";
import {IMedRec} from "./IMedRec.sol";
import {Records} from "./Records.sol";

/// @title MedRec: relaying, anchoring and identity, on top of accounts, directory, folders, consent and records
contract MedRec is Records {
    bytes32 public constant ANCHOR_ROLE = keccak256("ANCHOR_ROLE");

    /// @notice Gas that each act of a relayed batch may use: over ten times what the dearest takes today, since later
    /// forks price new storage higher (EIP-8037: some 110,000 a slot), and this contract stays.
    uint256 public constant ACT_GAS = 1_000_000;

    /// @dev What must be left for ACT_GAS to be forwarded whole (EIP-150 keeps 1/64 back), and the call itself paid.
    uint256 private constant GAS_NEEDED = ACT_GAS + ACT_GAS / 63 + 5_000;

    /// @dev Our own errors are at most 68 bytes long.
    uint256 private constant REASON_BYTES = 256;

    uint256 private immutable _originChain;
    address private immutable _originContract;

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

    /// @inheritdoc IMedRec
    function anchorLog(AnchorLog calldata act, bytes calldata signature) external {
        if (!_isSentBy(act.author, signature)) {
            _checkSigned(act.author, keccak256(abi.encode(ANCHOR_LOG, act)), signature);
        }
        _checkRole(ANCHOR_ROLE, act.author);
        uint64 last = _logs[act.author][act.log];
        if (act.size <= last) revert SizeNotGrowing(last, act.size);
        _logs[act.author][act.log] = act.size;
        emit LogAnchored(act.author, act.log, act.size, act.root);
    }

    /// @inheritdoc IMedRec
    function relay(bytes[] calldata calls) external returns (bytes[] memory refusals) {
        refusals = new bytes[](calls.length);
        for (uint256 i = 0; i < calls.length; ++i) {
            bytes memory reason = _perform(calls[i]);
            if (reason.length == 0) continue;
            refusals[i] = reason;
            emit ActRefused(i, reason);
        }
    }

    /// @inheritdoc IMedRec
    function origin() external view returns (uint256 chainId, address first) {
        return (_originChain, _originContract);
    }

    /// @inheritdoc IMedRec
    function logOf(address author, bytes32 log) external view returns (uint64 size) {
        return _logs[author][log];
    }

    /// @return reason Why the act was refused, empty if it was done.
    function _perform(bytes calldata act) private returns (bytes memory reason) {
        if (act.length < 4 || !_isAct(bytes4(act[:4]))) return abi.encodePacked(NotAnAct.selector);
        uint256 needed = GAS_NEEDED;
        bool starved;
        bool done;
        // By hand, so that nothing is paid between looking at the gas and the call, and the same memory serves every act.
        assembly ("memory-safe") {
            let start := mload(0x40)
            calldatacopy(start, act.offset, act.length)
            starved := lt(gas(), needed)
            if iszero(starved) {
                done := call(ACT_GAS, address(), 0, start, act.length, 0, 0)
                if iszero(done) {
                    let size := returndatasize()
                    if gt(size, REASON_BYTES) { size := REASON_BYTES }
                    mstore(start, size)
                    returndatacopy(add(start, 0x20), 0, size)
                    mstore(0x40, add(start, add(0x20, and(add(size, 0x1f), not(0x1f)))))
                    reason := start
                }
            }
        }
        if (starved) revert NotEnoughGas();
        if (!done && reason.length == 0) reason = abi.encodePacked(ActFailed.selector);
    }

    /// @dev Only acts are relayed: this contract must never call itself for anything else. The most frequent come first.
    function _isAct(bytes4 selector) private pure returns (bool) {
        return selector == this.newRecord.selector || selector == this.grantAccess.selector
            || selector == this.revokeAccess.selector || selector == this.rekeyFolder.selector
            || selector == this.modifyRecord.selector || selector == this.requestAccess.selector
            || selector == this.publishKey.selector || selector == this.nameFolder.selector
            || selector == this.denyAccess.selector || selector == this.withdrawRequest.selector
            || selector == this.closeRecord.selector || selector == this.giveUpAccess.selector
            || selector == this.affiliateDoctor.selector || selector == this.leaveInstitution.selector
            || selector == this.admitInstitution.selector || selector == this.blockSender.selector
            || selector == this.anchorLog.selector || selector == this.replaceKeys.selector
            || selector == this.nameRecovery.selector;
    }
}
