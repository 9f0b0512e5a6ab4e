// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Accounts} from "../src/Accounts.sol";
import {MedRec} from "../src/MedRec.sol";

/// @title MedRecSuccessor: a MedRec that first takes over what its predecessor holds
/// @notice Its loader copies the predecessor's words of storage, slot by slot, and then opens it, once. Until then no act is
/// taken, and afterwards nothing is loaded. Every loaded word is in a log: whoever joins compares each with the predecessor's.
/// @dev A later version keeps the layout of storage and only appends to it.
contract MedRecSuccessor is MedRec {
    address private immutable _predecessor;
    address private immutable _loader;

    uint256 private _lastBlock;

    /// @notice Words were copied: slot, value, slot, value, ...
    event Loaded(uint256[] words);
    /// @notice Acts are taken from now on. The predecessor's events count up to this block.
    event Opened(uint256 lastBlock);

    error NotLoader();
    error NotOpen();
    error AlreadyOpen();

    /// @param originChain Chain id of the first contract, as the predecessor has it.
    /// @param originContract Address of the first contract, as the predecessor has it.
    /// @param predecessor_ The contract whose place this one takes.
    /// @param loader Who copies the words, and opens it.
    constructor(
        address admin,
        address admission,
        address anchorer,
        uint256 originChain,
        address originContract,
        address predecessor_,
        address loader
    ) MedRec(admin, admission, anchorer, originChain, originContract) {
        _predecessor = predecessor_;
        _loader = loader;
    }

    /// @notice Writes words of storage: slot, value, slot, value, ...
    function load(uint256[] calldata words) external {
        _checkLoader();
        for (uint256 i = 0; i + 1 < words.length; i += 2) {
            uint256 slot = words[i];
            uint256 value = words[i + 1];
            assembly ("memory-safe") {
                sstore(slot, value)
            }
        }
        emit Loaded(words);
    }

    /// @notice Ends the loading, and takes acts.
    /// @param last The last block whose events of the predecessor count.
    function open(uint256 last) external {
        _checkLoader();
        if (last == 0 || last >= block.number) revert NotOpen();
        _lastBlock = last;
        emit Opened(last);
    }

    /// @notice The contract before this one, and the last block whose events count there; 0 until this one is open.
    function predecessor() external view returns (address before, uint256 lastBlock) {
        return (_predecessor, _lastBlock);
    }

    function _checkLoader() private view {
        if (msg.sender != _loader) revert NotLoader();
        if (_lastBlock != 0) revert AlreadyOpen();
    }

    /// @inheritdoc Accounts
    function _isSentBy(address author, bytes calldata signature) internal view override returns (bool) {
        if (_lastBlock == 0) revert NotOpen();
        return super._isSentBy(author, signature);
    }

    /// @inheritdoc Accounts
    function _isSignedBy(address signer, bytes32 structHash, bytes calldata signature)
        internal
        view
        override
        returns (bool)
    {
        if (_lastBlock == 0) revert NotOpen();
        return super._isSignedBy(signer, structHash, signature);
    }
}
