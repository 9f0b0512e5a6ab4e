// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IMedRec} from "../src/IMedRec.sol";
import {MedRec} from "../src/MedRec.sol";
import {Draft, Drafts} from "./Drafts.sol";
import {Memory} from "./Memory.sol";
import {Vm} from "./Vm.sol";

/// @notice What people do with the contract, in any order: act, forge each other's acts, send old ones again, send many at once.
contract Ward is Memory {
    Draft[] private _old;
    mapping(bytes32 structHash => uint256) private _works;

    uint256 public steps;

    /// @notice How often each of these was tried.
    uint256 public forgeries;
    uint256 public replays;
    uint256 public batches;
    uint256 public mixedBatches; // of acts that were done and acts that were refused

    /// @notice What must never happen.
    uint256 public forged;
    uint256 public workedTwice;
    uint256 public batchesUnlike;

    constructor() {
        setUp();
        _fill();
        _noteStart();
    }

    // ---------------------------------------------------------------------------------------------------- handlers

    function act(uint256 seed) external {
        _seed(seed);
        _send(_someDraft(), _oneIn(3));
    }

    /// @notice Some acts that somebody else signs, or sends unsigned, or that are others than those that were signed.
    function forge(uint256 seed) external {
        _seed(seed);
        for (uint256 i = 0; i < 4; ++i) {
            _forge(_someDraft(), _everybody[_roll(_everybody.length)]);
        }
    }

    /// @notice An old act again, as it was signed then, alone or relayed.
    function replay(uint256 seed) external {
        _seed(seed);
        if (_old.length == 0) return;
        ++replays;
        _send(_old[_roll(_old.length)], false);
    }

    /// @notice Some acts relayed, then, from the same state, one by one.
    function batch(uint256 seed) external {
        _seed(seed);
        Draft[] memory drafts = new Draft[](2 + _roll(5));
        bytes[] memory calls = new bytes[](drafts.length);
        for (uint256 i = 0; i < calls.length; ++i) {
            drafts[i] = i != 0 && _oneIn(4) ? drafts[i - 1] : _someDraft();
            if (drafts[i].kind == medrec.replaceKeys.selector) drafts[i] = _draft(0);
            calls[i] = _signed(drafts[i], _keys[drafts[i].author]);
        }
        _compare(drafts, calls);
    }

    function wait(uint256 seed) external {
        _seed(seed);
        vm.warp(block.timestamp + _roll(_oneIn(8) ? 60 days : 5 days));
    }

    /// @notice One of the above. Fuzzers like to give the same number again: it is not to be the same step again.
    function step(uint256 seed) external {
        seed = uint256(keccak256(abi.encode(seed, ++steps)));
        uint256 side = seed % 10;
        if (side < 4) this.act(seed);
        else if (side < 6) this.forge(seed);
        else if (side == 6) this.replay(seed);
        else if (side < 9) this.batch(seed);
        else this.wait(seed);
    }

    // ------------------------------------------------------------------------------------------------------- views

    function contractOf() external view returns (MedRec) {
        return medrec;
    }

    function records() external view returns (bytes32[] memory) {
        return _records;
    }

    // ----------------------------------------------------------------------------------------------------- sending

    /// @dev Grants, revokes and records are the most frequent, as in life.
    function _someDraft() private returns (Draft memory) {
        return _draft(_oneIn(3) ? _roll(5) : _roll(KINDS));
    }

    function _send(Draft memory draft, bool direct) private {
        uint256 key = _keys[draft.author];
        bytes memory data = direct ? _calldata(draft, "") : _signed(draft, key);
        if (direct) vm.prank(vm.addr(key));
        (bool ok,) = address(medrec).call(data);
        _settle(draft, ok);
    }

    function _forge(Draft memory draft, address other) private {
        uint256 key = _keys[draft.author];
        if (_keys[other] == key) return;
        bytes memory data;
        uint256 way = _roll(4);
        if (way == 0) {
            data = _calldata(draft, "");
        } else if (way == 1) {
            // The key with which the account began, when another is in force.
            data = _signed(draft, _firstKey(draft.author) == key ? _keys[other] : _firstKey(draft.author));
        } else if (way == 2) {
            data = _signed(draft, _keys[other]);
        } else {
            data = _signed(draft, key);
            data[4 + 32 + _roll(draft.members.length - 32)] ^= 0x01;
        }
        ++forgeries;
        vm.prank(vm.addr(_keys[other]));
        (bool ok,) = address(medrec).call(data);
        if (ok) ++forged;
    }

    function _settle(Draft memory draft, bool ok) private {
        _old.push(draft);
        if (ok && ++_works[draft.structHash] > 1) ++workedTwice;
        _note(draft, ok);
    }

    function _compare(Draft[] memory drafts, bytes[] memory calls) private {
        uint256 before = vm.snapshotState();
        vm.record();
        vm.recordLogs();
        bytes[] memory refusals = medrec.relay(calls);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        (, bytes32[] memory slots) = vm.accesses(address(medrec));
        bytes32[] memory values = _valuesOf(slots);
        vm.revertToStateAndDelete(before);
        vm.record();
        vm.recordLogs();
        bool[] memory done = new bool[](calls.length);
        bool alike = true;
        for (uint256 i = 0; i < calls.length; ++i) {
            bytes memory reason;
            (done[i], reason) = address(medrec).call(calls[i]);
            if (keccak256(refusals[i]) != keccak256(done[i] ? bytes("") : reason)) alike = false;
        }
        alike = alike && _sameLogs(logs, vm.getRecordedLogs());
        (, bytes32[] memory singly) = vm.accesses(address(medrec));
        alike = alike && _sameSlots(slots, singly) && _same(values, _valuesOf(slots));
        uint256 successes = 0;
        for (uint256 i = 0; i < calls.length; ++i) {
            if (done[i]) ++successes;
            _settle(drafts[i], done[i]);
        }
        ++batches;
        if (successes != 0 && successes != calls.length) ++mixedBatches;
        if (!alike) ++batchesUnlike;
    }

    function _valuesOf(bytes32[] memory slots) private view returns (bytes32[] memory values) {
        values = new bytes32[](slots.length);
        for (uint256 i = 0; i < slots.length; ++i) {
            values[i] = vm.load(address(medrec), slots[i]);
        }
    }

    /// @dev Whether each slot of either is in the other.
    function _sameSlots(bytes32[] memory some, bytes32[] memory others) private pure returns (bool) {
        return _within(some, others) && _within(others, some);
    }

    function _within(bytes32[] memory some, bytes32[] memory others) private pure returns (bool) {
        for (uint256 i = 0; i < some.length; ++i) {
            bool found = false;
            for (uint256 j = 0; j < others.length && !found; ++j) {
                found = some[i] == others[j];
            }
            if (!found) return false;
        }
        return true;
    }

    function _same(bytes32[] memory some, bytes32[] memory others) private pure returns (bool) {
        return keccak256(abi.encode(some)) == keccak256(abi.encode(others));
    }

    /// @dev The batch tells of its refusals too; everything else is told the same.
    function _sameLogs(Vm.Log[] memory relayed, Vm.Log[] memory singly) private pure returns (bool) {
        uint256 j = 0;
        for (uint256 i = 0; i < relayed.length; ++i) {
            if (relayed[i].topics[0] == IMedRec.ActRefused.selector) continue;
            if (j == singly.length || keccak256(abi.encode(relayed[i])) != keccak256(abi.encode(singly[j]))) {
                return false;
            }
            ++j;
        }
        return j == singly.length;
    }

    function _firstKey(address account) private view returns (uint256) {
        if (account == patient) return PATIENT_KEY;
        return account == neighbour ? 0xB0B : _keys[account];
    }
}
