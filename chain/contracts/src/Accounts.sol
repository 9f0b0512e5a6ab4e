// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

import {NAME_RECOVERY, PUBLISH_KEY, REPLACE_KEYS} from "./ActTypes.sol";
import {IMedRec} from "./IMedRec.sol";

/// @title Accounts: who signs for whom, and with which sharing key others seal to them
abstract contract Accounts is IMedRec, EIP712 {
    uint64 private constant NUMBER_STEP = 1024;
    uint256 private constant SHARING_KEY_BYTES = 1217;

    struct Keys {
        address signer; // zero: the account itself
        uint32 generation;
        uint32 version; // of the sharing key
        bool blocks; // whether a sender was ever blocked: kept here, where it costs no read
    }

    struct Recovery {
        address account;
        uint64 serial;
    }

    mapping(address account => Keys) private _keys;
    mapping(address account => bytes32) private _keyDigests;
    mapping(address account => Recovery) private _recoveries;

    /// @inheritdoc IMedRec
    function publishKey(PublishKey calldata act, bytes calldata signature) external {
        bytes32 digest = keccak256(act.key);
        _checkSigned(act.author, keccak256(abi.encode(PUBLISH_KEY, act.author, act.version, digest)), signature);
        uint32 last = _keys[act.author].version;
        if (act.version <= last || act.version - last > NUMBER_STEP) revert VersionNotNext(last, act.version);
        _setKey(act.author, act.version, digest, act.key.length);
        emit KeyPublished(act.author, act.version, act.key);
    }

    /// @inheritdoc IMedRec
    function nameRecovery(NameRecovery calldata act, bytes calldata signature) external {
        Recovery storage recovery = _recoveries[act.author];
        address named = recovery.account;
        _checkSignature(
            named == address(0) ? _signerOf(act.author) : named, keccak256(abi.encode(NAME_RECOVERY, act)), signature
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
        bytes32 structHash =
            keccak256(abi.encode(REPLACE_KEYS, act.author, act.generation, act.signer, digest, act.envelopes));
        address recovery = _recoveries[act.author].account;
        if (recovery == address(0) || !_isSignedBy(recovery, structHash, signature)) {
            _checkSigned(act.author, structHash, signature);
        }
        if (act.signer == address(0) || act.signer == address(this)) revert BadSigner();
        Keys storage keys = _keys[act.author];
        uint32 last = keys.generation;
        // An epoch keeps its generation in 16 bits.
        if (act.generation != last + 1 || act.generation > type(uint16).max) {
            revert GenerationNotNext(last, act.generation);
        }
        keys.signer = act.signer;
        keys.generation = act.generation;
        uint32 version = keys.version + 1;
        _setKey(act.author, version, digest, act.key.length);
        emit KeysReplaced(act.author, act.signer, act.generation, version, act.key, act.envelopes);
    }

    /// @inheritdoc IMedRec
    function signerOf(address account) external view returns (address signer, uint32 generation) {
        return (_signerOf(account), _generationOf(account));
    }

    /// @inheritdoc IMedRec
    function recoveryOf(address account) external view returns (address recovery, uint64 serial) {
        return (_recoveries[account].account, _recoveries[account].serial);
    }

    /// @inheritdoc IMedRec
    function keyOf(address account) external view returns (uint32 version, bytes32 digest) {
        return (_keys[account].version, _keyDigests[account]);
    }

    function _generationOf(address account) internal view returns (uint32) {
        return _keys[account].generation;
    }

    function _hasBlocks(address account) internal view returns (bool) {
        return _keys[account].blocks;
    }

    function _noteBlock(address account) internal {
        if (!_keys[account].blocks) _keys[account].blocks = true;
    }

    /// @dev Whether there is no signature because the author's signer sends the act itself; what is not signed needs no hash.
    function _isSentBy(address author, bytes calldata signature) internal view virtual returns (bool) {
        if (signature.length != 0) return false;
        address signer = _signerOf(author);
        // In a relayed call the sender is this contract, which signs for nobody.
        if (msg.sender != signer || msg.sender == address(this)) revert NotSigner(signer);
        return true;
    }

    function _checkSigned(address author, bytes32 structHash, bytes calldata signature) internal view {
        _checkSignature(_signerOf(author), structHash, signature);
    }

    function _checkSerial(uint64 last, uint64 given) internal pure {
        unchecked {
            if (given <= last || given - last > NUMBER_STEP) revert SerialNotNext(last, given);
        }
    }

    function _idOf(address author, bytes32 nonce) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(author, nonce));
    }

    function _signerOf(address account) private view returns (address) {
        address signer = _keys[account].signer;
        return signer == address(0) ? account : signer;
    }

    function _checkSignature(address signer, bytes32 structHash, bytes calldata signature) private view {
        if (!_isSignedBy(signer, structHash, signature)) revert NotSigner(signer);
    }

    /// @dev ECDSA first, whether or not the signer has code: an EIP-7702 delegation must not lock a patient out.
    function _isSignedBy(address signer, bytes32 structHash, bytes calldata signature)
        internal
        view
        virtual
        returns (bool)
    {
        if (signature.length == 0) return msg.sender == signer && msg.sender != address(this);
        bytes32 digest = _hashTypedDataV4(structHash);
        (address recovered, ECDSA.RecoverError failure,) = ECDSA.tryRecoverCalldata(digest, signature);
        if (failure == ECDSA.RecoverError.NoError && recovered == signer) return true;
        return signer.code.length > 0 && SignatureChecker.isValidERC1271SignatureNowCalldata(signer, digest, signature);
    }

    function _setKey(address account, uint32 version, bytes32 digest, uint256 length) private {
        if (length != SHARING_KEY_BYTES) revert BadKey();
        _keys[account].version = version;
        _keyDigests[account] = digest;
    }
}
